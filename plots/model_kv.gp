# One model: KL of a setting on keys alone, on values alone, and on both; one line for each setting.
data = ARG1
out = ARG2
kind = ARG3
cut = 0
do for [i = 1:strlen(ARG0)] { if (ARG0[i:i] eq "/") { cut = i } }
folder = cut > 0 ? ARG0[1:cut] : ""
load folder."style.gp"
load folder."floor.gp"

slots = 0
array slot_name[256]
name_slot(i, text) = (slot_name[i] = text, slots = i > slots ? i : slots, 1)
stats data using (name_slot(int(column("slot")), strcol("label")), column("floor_known") > 0 ? \
                  see_floor(1, 1, column("floor_delta_low"), column("floor_delta_high"), column("floor_kl"), \
                  column("floor_kl_high")) : 0) nooutput
stats data using (strlen(strcol("label"))) name "length" nooutput
stats data using (column("value") > 0 ? column("value") : NaN) name "kl" nooutput
stats data using (column("low") > 0 ? column("low") : NaN) name "kl_low" nooutput
stats data using (column("high")) name "kl_high" nooutput
stats data using (column("side")) name "side" nooutput
sides = int(side_max)

length = length_max > 44 ? 44 : int(length_max)
label_in = 0.25 + 0.075 * length
width_in = 6.4
legend_in = 0.35
height_in = 0.95 + 0.28 * slots + legend_in
load folder."terminal.gp"
shown(text) = strlen(text) > 44 ? text[1:20]."…".text[strlen(text) - 22:*] : text

load folder."kl_frame.gp"
left = kl_bottom
right = kl_top
clip(v) = v > left ? v : left
array side_colour[3] = [0x0072B2, 0xD55E00, 0x000000]
array side_point[3] = [7, 4, 2]
array side_name[3] = ["keys alone", "values alone", "both"]

set multiplot
set lmargin at screen label_in / width_in
set rmargin at screen 0.97
set bmargin at screen (legend_in + 0.6) / height_in
set tmargin at screen 1 - 0.15 / height_in
set logscale x 10
axis = "x"
axis_low = left
axis_high = right
load folder."log_tics.gp"
set xlabel "KL to full precision (nats)"
set xrange [left:right]
set yrange [slots + 0.6:0.4]
set ytics out scale 0 noenhanced (shown(slot_name[1]) 1)
do for [i = 2:slots] { set ytics add (shown(slot_name[i]) i) }
unset grid
set grid xtics linewidth 0.5 linecolor rgb "#DDDDDD" dashtype solid
unset key
if (floor_shown) {
    set object 1 rectangle from left, 0.4 to (floor_kl_high[1] < right ? floor_kl_high[1] : right), slots + 0.6 \
        fillcolor rgb "#DDDDDD" fillstyle solid noborder back
    if (floor_kl[1] > left) {
        set arrow 1 from floor_kl[1], 0.4 to floor_kl[1], slots + 0.6 nohead dashtype (8, 4) linewidth 1.2 \
            linecolor rgb "#444444" back
    }
}
is(s) = int(column("side")) == s
plot for [s = 1:sides] data using (is(s) && column("value") > 0 ? column("value") : NaN):\
         (column("slot") + (s - (sides + 1) / 2.0) * 0.22):(clip(column("low"))):(column("high")) with xerrorbars \
         linecolor rgb side_colour[s] pointtype side_point[s] pointsize 0.8 linewidth 1.4
unset object 1
unset arrow 1
set size 1, legend_in / height_in
set origin 0, 0
set lmargin at screen 0
set rmargin at screen 1
set tmargin at screen legend_in / height_in
set bmargin at screen 0
unset logscale
unset border
unset tics
unset grid
unset xlabel
set xrange [0:1]
set yrange [0:1]
set key center center horizontal samplen 2 width 1 Left reverse noenhanced
if (floor_shown) {
    plot for [s = 1:sides] NaN with points linecolor rgb side_colour[s] pointtype side_point[s] pointsize 0.8 \
             linewidth 1.4 title side_name[s], \
         NaN with lines linecolor rgb "#444444" dashtype (8, 4) linewidth 1.2 title "noise floor"
} else {
    plot for [s = 1:sides] NaN with points linecolor rgb side_colour[s] pointtype side_point[s] pointsize 0.8 \
             linewidth 1.4 title side_name[s]
}
unset multiplot
