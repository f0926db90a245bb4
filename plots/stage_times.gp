# Time per vector (prepare: per query, score: per pair) by stage, grouped by method, with intervals; the floor that the bytes moved set, as a black bar.
data = ARG1
out = ARG2
kind = ARG3
cut = 0
do for [i = 1:strlen(ARG0)] { if (ARG0[i:i] eq "/") { cut = i } }
folder = cut > 0 ? ARG0[1:cut] : ""
load folder."style.gp"

array fill[6] = [3, 1, 2, 4, 5, 6]
stage_names = "rotate encode prepare score decode attend"
slots = 0
slot_names = ""
see_slot(i, name) = i <= slots ? 0 : (slots = i, slot_names = slot_names . quoted(name), 1)
stats data using (see_slot(int(column("slot")), strcol("label"))) nooutput
stats data using (see_panel(int(column("panel")), strcol("panel_name"))) nooutput
stats data using (column("stage")) name "used" nooutput
stages = int(used_max)
stats data using (column("value") > 0 ? column("value") : NaN) name "value" nooutput
stats data using (column("low") > 0 ? column("low") : NaN) name "low" nooutput
stats data using (column("floor") > 0 ? column("floor") : NaN) name "floor" nooutput
stats data using (strlen(strcol("label"))) name "length" nooutput

label_in = 0.3 + 0.042 * length_max
width_in = 1.3 + 0.042 * length_max + 0.14 * slots * (stages + 1)
width_in = width_in < 9.2 ? 9.2 : width_in > 11 ? 11 : width_in
panel_in = 2.3 + label_in
legend_in = 0.35
height_in = panels * panel_in + legend_in
load folder."terminal.gp"

bottom = low_min
if (floor_records > 0 && floor_min < bottom) { bottom = floor_min }
bottom = 10 ** floor(log10(bottom))
top = 10 ** ceil(log10(value_max * 1.2))
wide = 0.84 / stages
place(slot, stage) = slot + (stage - (stages + 1) / 2.0) * wide
is(p, s) = int(column("panel")) == p && int(column("stage")) == s

# Intervals as bars with caps, drawn as two-headed arrows whose heads stand at right angles.
set style arrow 1 heads size screen 0.004, 90 linewidth 1.0 linecolor rgb "#222222"

set multiplot
set logscale y 10
set format y "10^{%L}"
set mytics 10
set yrange [bottom:top]
set xrange [0.4:slots + 0.6]
set ylabel "ns per vector, query or pair"
set xtics rotate by -35 noenhanced scale 0 ("" 0)
# A tic label is a format to gnuplot: a per cent sign in a name has to be doubled.
do for [i = 1:slots] {
    name = word(slot_names, i)
    label = ""
    do for [k = 1:strlen(name)] { label = label . (name[k:k] eq "%" ? "%%" : name[k:k]) }
    set xtics add (label i)
}
# The last label runs to the right of its tic.
set rmargin at screen 1 - (0.2 + 0.042 * length_max) / width_in
unset key
do for [p = 1:panels] {
    set lmargin 9
    set tmargin at screen 1 - ((p - 1) * panel_in + 0.42) / height_in
    set bmargin at screen 1 - (p * panel_in - label_in - 0.25) / height_in
    set title panel_name(p) noenhanced
    plot for [s = 1:stages] data using (is(p, s) ? place(column("slot"), s) : NaN):(column("value")):(wide * 0.92) \
             with boxes linecolor rgb colour[s] fillstyle pattern fill[s] border, \
         for [s = 1:stages] data using (is(p, s) ? place(column("slot"), s) : NaN):\
             (column("low") > bottom ? column("low") : bottom):(0):\
             (column("high") - (column("low") > bottom ? column("low") : bottom)) with vectors \
             arrowstyle 1, \
         for [s = 1:stages] data using (is(p, s) ? place(column("slot"), s) - wide * 0.45 : NaN):(column("floor")):\
             (wide * 0.9):(0) with vectors nohead linewidth 2.2 linecolor rgb "#000000"
}
set size 1, legend_in / height_in
set lmargin 1
set rmargin 1
set origin 0, 0
set tmargin 0
set bmargin 0
unset title
unset xlabel
unset ylabel
unset logscale
unset border
unset tics
unset grid
set xrange [0:1]
set yrange [0:1]
set key center center horizontal maxrows 1 samplen 2 width 1 Left reverse noenhanced
plot for [s = 1:stages] NaN with boxes linecolor rgb colour[s] fillstyle pattern fill[s] border title word(stage_names, s), \
     NaN with lines linewidth 2.2 linecolor rgb "#000000" title "floor"
unset multiplot
