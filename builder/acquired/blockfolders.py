"""Which block a file belongs to, by the folder it lies in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from campaign.frozen import dataclass
from campaign.model import Campaign


@dataclass
class BlockFolders:
    """Folders by block: those the campaign names, else a folder (or root) that bears a block's name."""

    named: tuple[
        tuple[str, str], ...
    ]  # (folder relative to a root, with '/' at its end; block), longest first
    blocks: Mapping[str, str]  # by name in any case
    only: str
    seen: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, campaign: Campaign) -> BlockFolders:
        """As a campaign's folder says. In a campaign of one block everything is that block's."""
        named = [(folder.strip("/") + "/", block) for block, folder in campaign.data.block_folders.items()]
        named.sort(key=lambda n: (-len(n[0]), n))
        only = campaign.blocks[0].id if len(campaign.blocks) == 1 else ""
        return cls(tuple(named), {b.id.casefold(): b.id for b in campaign.blocks}, only)

    def block(self, root: str, path: str) -> str:
        """The block of a file; '' when no folder tells it."""
        key = (root, path.rpartition("/")[0])
        if key not in self.seen:
            self.seen[key] = self._find(*key)
        return self.seen[key]

    def _find(self, root: str, folder: str) -> str:
        for name, block in self.named:
            if name == "./" or f"{folder}/".startswith(name):
                return block
        parts = [root.replace("\\", "/").rstrip("/").rpartition("/")[2], *folder.split("/")]
        return next((self.blocks[p.casefold()] for p in parts if p.casefold() in self.blocks), self.only)
