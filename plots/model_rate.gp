# One model: difference of the log-perplexity to full precision (left) and KL to full precision (right) against the rate.
# A row for each tensor that was quantized; grey: the noise floor.
data = ARG1
out = ARG2
kind = ARG3
cut = 0
do for [i = 1:strlen(ARG0)] { if (ARG0[i:i] eq "/") { cut = i } }
folder = cut > 0 ? ARG0[1:cut] : ""
load folder."style.gp"
load folder."floor.gp"

stats data using (see_panel(int(column("panel")), strcol("panel_name")), \
                  see_series(int(column("series")), strcol("series_name"), column("point"), column("method"), \
                             column("variant")), \
                  column("floor_known") > 0 ? see_floor(int(column("panel")), 1, column("floor_delta_low"), \
                  column("floor_delta_high"), column("floor_kl"), column("floor_kl_high")) : 0) nooutput
stats data using (column("rate_bits")) name "rate" nooutput
stats data using (column("delta")) name "delta" nooutput
stats data using (column("delta_low")) name "delta_low" nooutput
stats data using (column("delta_high")) name "delta_high" nooutput
stats data using (column("kl") > 0 ? column("kl") : NaN) name "kl" nooutput
stats data using (column("kl_low") > 0 ? column("kl_low") : NaN) name "kl_low" nooutput
stats data using (column("kl_high")) name "kl_high" nooutput

load folder."kl_frame.gp"
floor_title = floor_shown ? "noise floor" : ""
width_in = 9.2
panel_in = series > 12 ? 4.6 : 3.5
load folder."legend_size.gp"
height_in = panels * panel_in + legend_in
load folder."terminal.gp"

right = ceil(rate_max + 0.25)
# The frames follow the values; a bar that leaves them is wider than it.
largest = delta_max > -delta_min ? delta_max : -delta_min
delta_top = delta_high_max < 3 * largest ? delta_high_max : 3 * largest
delta_bottom = delta_low_min > -largest ? delta_low_min : -largest
delta_top = delta_top < 0.001 ? 0.001 : delta_top
delta_bottom = delta_bottom > -0.001 ? -0.001 : delta_bottom
is(p, s) = int(column("panel")) == p && int(column("series")) == s
clip(v, bottom) = v > bottom ? v : bottom

set multiplot
set xlabel "rate (bits per coordinate, every byte counted)"
set xrange [0.8:right]
set xtics 1
set lmargin 11
set rmargin 2
unset key
do for [p = 1:panels] {
    set size 0.5, panel_in / height_in
    set origin 0, 1 - p * panel_in / height_in
    set title "perplexity: ".panel_name(p) noenhanced
    set ylabel "difference of log-perplexity (nats)"
    load folder."signed.gp"
    set yrange [delta_bottom * 1.3:delta_top * 1.3]
    set arrow 1 from 0.8, 0 to right, 0 nohead linewidth 0.8 linecolor rgb "#444444" back
    if (floor_known[p]) {
        set object 1 rectangle from 0.8, clip(floor_delta_low[p], delta_bottom) to right, \
            (floor_delta_high[p] < delta_top ? floor_delta_high[p] : delta_top) fillcolor rgb "#DDDDDD" fillstyle solid noborder back
    }
    plot NaN with lines, for [s = 1:series] data using (is(p, s) ? column("rate_bits") : NaN):(column("delta")):\
             (column("delta_low")):(column("delta_high")) with yerrorlines linecolor rgb colour_of(method_of(s)) \
             dashtype dash_of(variant_of(s)) pointtype point_of(s) pointsize 0.75 linewidth 1.4
    unset object 1
    unset arrow 1
    unset nonlinear y

    set origin 0.5, 1 - p * panel_in / height_in
    set title "KL: ".panel_name(p) noenhanced
    set ylabel "KL to full precision (nats)"
    set logscale y 10
    axis = "y"
    axis_low = kl_bottom
    axis_high = kl_top
    load folder."log_tics.gp"
    set yrange [kl_bottom:kl_top]
    if (floor_known[p] && floor_kl_high[p] > kl_bottom) {
        set object 1 rectangle from 0.8, kl_bottom to right, (floor_kl_high[p] < kl_top ? floor_kl_high[p] : kl_top) \
            fillcolor rgb "#DDDDDD" fillstyle solid noborder back
        if (floor_kl[p] > kl_bottom) {
            set arrow 1 from 0.8, floor_kl[p] to right, floor_kl[p] nohead dashtype (8, 4) linewidth 1.2 \
                linecolor rgb "#444444" back
        }
    }
    if (floor_known[p] && floor_kl_high[p] <= kl_bottom) {
        set label 1 (floor_kl_high[p] > 0 ? sprintf("noise floor below the frame: %.1g", floor_kl_high[p]) : "noise floor: exactly 0") at graph 0.98, 0.04 right \
            textcolor rgb "#444444" noenhanced
    }
    plot NaN with lines, for [s = 1:series] data using (is(p, s) && column("kl") > 0 ? column("rate_bits") : NaN):\
             (column("kl")):(clip(column("kl_low"), kl_bottom)):(column("kl_high")) with yerrorlines \
             linecolor rgb colour_of(method_of(s)) dashtype dash_of(variant_of(s)) pointtype point_of(s) \
             pointsize 0.75 linewidth 1.4
    unset object 1
    unset arrow 1
    unset label 1
    unset logscale y
}
unset mytics
load folder."legend.gp"
unset multiplot
