# One model: relative squared error of each layer's attention output, layer by setting. One hue from light to dark, so that a grey
# print and every eye read the same order.
data = ARG1
out = ARG2
kind = ARG3
cut = 0
do for [i = 1:strlen(ARG0)] { if (ARG0[i:i] eq "/") { cut = i } }
folder = cut > 0 ? ARG0[1:cut] : ""
load folder."style.gp"

rows = 0
array row_name[256]
name_row(i, text) = (row_name[i] = text, rows = i > rows ? i : rows, 1)
stats data using (see_panel(int(column("panel")), strcol("panel_name")), \
                  name_row(int(column("row")), strcol("label"))) nooutput
stats data using (column("layer")) name "layer" nooutput
stats data using (strlen(strcol("label"))) name "length" nooutput
stats data using (column("value") > 0 ? column("value") : NaN) name "value" nooutput

label_in = 0.25 + 0.072 * (length_max > 44 ? 44 : length_max)
width_in = 9.2
bar_in = 0.9
map_in = (width_in - label_in - bar_in) / panels
height_in = 1.15 + 0.2 * rows
load folder."terminal.gp"
shown(text) = strlen(text) > 44 ? text[1:20]."…".text[strlen(text) - 22:*] : text

set palette defined (0 "#F7FBFF", 0.25 "#C6DBEF", 0.5 "#6BAED6", 0.75 "#2171B5", 1 "#08306B")
set logscale cb 10
low = 10 ** floor(log10(value_min))
high = 10 ** ceil(log10(value_max))
low = low < high / 1e6 ? high / 1e6 : low
set cbrange [low:high]
set format cb "10^{%L}"
set cblabel "relative squared error"
set border 15
unset grid
unset key
set xrange [layer_min - 0.5:layer_max + 0.5]
set yrange [rows + 0.5:0.5]
set xlabel "layer"
set tics out
set multiplot
do for [p = 1:panels] {
    set lmargin at screen (label_in + (p - 1) * map_in + (p > 1 ? 0.12 : 0)) / width_in
    set rmargin at screen (label_in + p * map_in) / width_in
    set tmargin at screen 1 - 0.35 / height_in
    set bmargin at screen 0.7 / height_in
    set title panel_name(p) noenhanced
    unset ytics
    if (p == 1) {
        set ytics out scale 0 noenhanced (shown(row_name[1]) 1)
        do for [r = 2:rows] { set ytics add (shown(row_name[r]) r) }
    }
    if (p == panels) { set colorbox user origin screen (label_in + panels * map_in + 0.15) / width_in, screen 0.7 / height_in \
        size screen 0.16 / width_in, screen 1 - 1.05 / height_in } else { unset colorbox }
    plot data using (int(column("panel")) == p ? column("layer") : NaN):(column("row")):(column("layer") - 0.5):\
             (column("layer") + 0.5):(column("row") - 0.5):(column("row") + 0.5):\
             (column("value") > low ? column("value") : low) with boxxyerror fillstyle solid noborder fillcolor palette
}
unset multiplot
