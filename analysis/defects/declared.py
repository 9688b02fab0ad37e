"""What the defects procedure declares: quantities, parameters, figures and products."""

from __future__ import annotations

from analysis.contract import FigureSpec, PanelSpec, Parameter, ProductSpec, Quantity

PIXELS = ("hot", "warm", "dark", "dead", "bright", "noisy", "non-linear", "unstable")
"""Classes that single pixels are counted in, by the names of their bits."""

_ERROR = "the uncertainty is that of counting again on the same detector: the number (and ½) within 1 σ above the threshold over √π, and false ones by Poisson"

QUANTITIES = (
    Quantity(
        "hot", "N_hot", "pixels", "Pixels whose dark signal exceeds that around them by hot_rate",
        f"count in the clipped mean of the longest darks; {_ERROR}", "health",
    ),
    Quantity(
        "warm", "N_warm", "pixels", "Pixels whose dark signal exceeds that around them significantly, below hot",
        f"count in the clipped mean of the longest darks; {_ERROR}", "health",
    ),
    Quantity(
        "unstable", "N_unst", "pixels", "Pixels whose dark signal changes from the first to the second half of the darks",
        f"count in the difference of two half masters; {_ERROR}", "health", unplotted="too few to show in a histogram; they are marked on the image",
    ),
    Quantity(
        "noisy", "N_noisy", "pixels", "Pixels that scatter from frame to frame more than those around them",
        f"count of variances over bias frames (else darks) beyond χ²; {_ERROR}", "health",
    ),
    Quantity(
        "dark", "N_dark", "pixels", "Pixels that respond to light significantly less than those around them, above dead",
        f"count in the master flat over its local level; {_ERROR}", "health",
    ),
    Quantity(
        "dead", "N_dead", "pixels", "Pixels that hardly respond to light", f"count in the master flat over its local level; {_ERROR}", "health"
    ),
    Quantity(
        "bright", "N_bright", "pixels", "Pixels that respond to light significantly more than those around them",
        f"count in the master flat over its local level; {_ERROR}", "health",
    ),
    Quantity(
        "non_linear", "N_nl", "pixels", "Pixels whose response changes with the level of light unlike that of those around them",
        f"count in the difference of the responses at two levels; {_ERROR}", "health", unplotted="too few to show in a histogram; they are marked on the image",
    ),
    Quantity(
        "columns", "N_col", "columns", "Columns with the bit column in the mask",
        "columns of so many bad pixels, or whose mean stands out; the uncertainty as of pixels: those within 1 σ above the thresholds, and false ones", "health",
    ),
    Quantity(
        "clusters", "N_cl", "clusters", "Islands of touching bad pixels outside of columns, of cluster_pixels or more",
        "connected components, corners included; the uncertainty is from drawing pixels near their thresholds again (50 times, fixed seed), and half a cluster that may be near unseen", "health",
    ),
    Quantity(
        "largest_cluster", "N_max", "pixels", "Pixels of the largest such island", "connected components; uncertainty as for clusters", "health"
    ),
    Quantity(
        "bad_area", "A_bad", "%", "Share of the channel's pixels that have any bit in the mask", "count of the mask; the uncertainty is that of all classes together"
    ),
    Quantity(
        "by_chance", "N_false", "pixels", "Pixels that noise alone is expected to put into the mask",
        "tail of the noise beyond each threshold times the pixels looked at; of darks with the Poisson tail where gain and offset are known", "engineering",
        unplotted="what the histograms' models say beyond the thresholds",
    ),
    Quantity(
        "detector_bad_area", "A_det", "%", "Share of the detector's pixels that have any bit in the mask", "count of all channels' masks; uncertainty as for bad_area",
        per="detector", unplotted="the sum of the channels' areas",
    ),
)  # fmt: skip
"""What the defects procedure measures."""

PARAMETERS = (
    Parameter("sigma", 5.0, "a defect stands out of the pixels around it by this many σ at least", "σ", 3.0, 20.0),
    Parameter("hot_rate", 5.0, "excess of dark signal from which a pixel is hot", "e⁻/s", 0.0),
    Parameter("warm_rate", 0.0, "excess of dark signal below which a pixel is not warm, however significant", "e⁻/s", 0.0),
    Parameter("hot_sigma", 50.0, "where no gain is known a pixel is hot from this many σ on", "σ", 3.0),
    Parameter("unstable_rate", 0.0, "change of dark signal below which a pixel is not unstable, however significant", "e⁻/s", 0.0),
    Parameter("dark", 0.8, "response below which a pixel is dark, as a fraction of that around it", "", 0.0, 1.0),
    Parameter("dead", 0.1, "response up to which a pixel is dead, as a fraction of that around it", "", 0.0, 1.0),
    Parameter("bright", 1.2, "response above which a pixel is bright, as a fraction of that around it", "", 1.0, 10.0),
    Parameter("noisy", 1.5, "noise above which a pixel is noisy, over that around it", "", 1.0, 100.0),
    Parameter("non_linear", 0.01, "change of response with level above which a pixel is non-linear", "", 0.0, 1.0),
    Parameter("side", 32, "side of the cells that say what is ordinary around a pixel", "pix", 8, 512),
    Parameter("column_hot", 20, "pixels with defects without light that make a column bad, if five σ more than is usual", "", 2),
    Parameter("column_dark", 100, "pixels with defects in light that make a column bad, if five σ more than is usual", "", 2),
    Parameter("column_gap", 30, "rows between bad pixels of a bad column that are bad too", "pix", 0),
    Parameter("column_whole", 0.5, "share of a bad column from which all of it is bad", "", 0.0, 1.0),
    Parameter("cluster_pixels", 4, "touching bad pixels that make a cluster", "", 2),
    Parameter("edge", 0, "rows and columns at the edges of the detector whose level is not that of the light", "pix", 0),
)  # fmt: skip

FIGURES = (
    FigureSpec(
        "over_image", "Defects over the image",
        "Bad pixels outside of whole columns, marked on the response (or the dark signal where there are no flats); a dot stands at the corner that a channel is read at. Look for lines, rings and crowds.",
        (PanelSpec("Response of each pixel, one for the level around it (or rate [ADU/s]), at its place on the detector; bad pixels marked, of very many every so many-th."),),
        ("clusters", "largest_cluster", "columns", "bad_area"),
    ),
    FigureSpec(
        "area", "Area by class", "Share of each channel's pixels by bit of the mask. A pixel may have several. Points on the lowest line are of classes without any pixel.",
        (PanelSpec("Area [%], logarithmic, of each class, by channel; what no pixel has is drawn at a tenth of a pixel."),),
        ("bad_area", "columns"),
    ),
    FigureSpec(
        "without_light", "Dark signal against that around",
        "Significance of each pixel of the master dark with the normal distribution it must follow, and the threshold. A core wider than the model means that the noise changes within cells.",
        (PanelSpec("Number of pixels by significance [σ], logarithmic, of the master dark; the curve is the normal distribution.", "channel"),),
        ("hot", "warm"),
    ),
    FigureSpec(
        "response", "Response against that around",
        "Significance of each pixel of the master flat with the normal distribution, and the thresholds: those in fractions of the response, where they are further out than those in σ.",
        (PanelSpec("Number of pixels by significance [σ], logarithmic, of the master flat; the curve is the normal distribution.", "channel"),),
        ("dark", "dead", "bright"),
    ),
    FigureSpec(
        "noise", "Noise against that around", "Variance of each pixel over frames over the usual one, with the χ² distribution it must follow. A tail is telegraph noise and noisy pixels.",
        (PanelSpec("Number of pixels by variance over the usual one, logarithmic; the curve is χ² of as many frames over its degrees of freedom.", "channel"),),
        ("noisy",),
    ),
)  # fmt: skip

PRODUCTS = (
    ProductSpec("mask", "fits", "bits of each pixel, int32, the table of bits in the header; 0 is good"),
    ProductSpec("defects", "ecsv", "defects: class, place, extent, value, significance, and a region for SAOImage DS9"),
    ProductSpec("regions", "reg", "the same defects to be laid over a frame: boxes in image coordinates, coloured and tagged by class"),
)  # fmt: skip
