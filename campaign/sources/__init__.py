"""Where records come from: files and spreadsheets, each turned into a table whose cells keep their source."""
