# Shared by all figures: arguments, terminal, colours, the list of panels and series read from the data.
#
#   gnuplot -c FIGURE.gp DATA.csv OUT (svg|pdf)
#
# The figure has put its arguments into data, out and kind, because `load` gives a script arguments of its own.
# DATA.csv is exported by `fairquant report` (DIR/plots/data/*.csv) and nothing else is read. Colour is given by method
# (Okabe-Ito, safe for the colour-blind), point type and dash by variant, so that a grey print reads as well.

set datafile separator comma
set datafile columnheaders
set encoding utf8

# Okabe-Ito without the yellow, which is invisible on white, and with a mid grey for controls.
array colour[8] = [0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x000000, 0x7F7F7F]
array point[12] = [7, 5, 9, 11, 13, 6, 4, 8, 10, 12, 2, 1]
array stroke[6] = [1, 2, 4, 5, 3, 6]
colour_of(method) = colour[(int(method) - 1) % 8 + 1]
point_of(i) = point[(int(word(series_points, i)) - 1) % 12 + 1]
dash_of(variant) = stroke[(int(variant) - 1) % 6 + 1]

# Panels and series of the data, in the order in which they come.
panels = 0
series = 0
panel_names = ""
series_names = ""
series_points = ""
series_methods = ""
series_variants = ""
quoted(text) = " \"" . text . "\""
see_panel(i, name) = i <= panels ? 0 : (panels = i, panel_names = panel_names . quoted(name), 1)
see_series(i, name, p, m, v) = i <= series ? 0 : (series = i, series_names = series_names . quoted(name), \
    series_points = series_points . sprintf(" %d", p), \
    series_methods = series_methods . sprintf(" %d", m), series_variants = series_variants . sprintf(" %d", v), 1)
panel_name(i) = word(panel_names, i)
# As a panel's title: a long name loses its middle, so that it does not run into its neighbour's.
panel_title(i) = strlen(panel_name(i)) <= 52 ? panel_name(i) : \
    panel_name(i)[1:28] . " … " . panel_name(i)[strlen(panel_name(i)) - 18:]
series_name(i) = word(series_names, i)
method_of(i) = int(word(series_methods, i))
variant_of(i) = int(word(series_variants, i))

# Geometry: two panels a row, a strip for the legend below, in inches (PDF) or at 96 dots an inch (SVG).
columns_of(n) = n < 2 ? 1 : 2
rows_of(n) = int((n + columns_of(n) - 1) / columns_of(n))

font_name = kind eq "svg" ? "Helvetica, Arial, DejaVu Sans, sans-serif" : "Helvetica"
