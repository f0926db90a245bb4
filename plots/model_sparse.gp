# One model: what part of the softmax weights was skipped, and the KL to full precision then. A colour and dash for each
# policy, a sign for each threshold.
data = ARG1
out = ARG2
kind = ARG3
cut = 0
do for [i = 1:strlen(ARG0)] { if (ARG0[i:i] eq "/") { cut = i } }
folder = cut > 0 ? ARG0[1:cut] : ""
load folder."style.gp"
load folder."floor.gp"

signs = 0
array sign_name[64]
array policy_name[64]
policies = 0
name_sign(i, v) = (sign_name[i] = sprintf("threshold %g", v), signs = i > signs ? i : signs, 1)
name_policy(i, text) = (policy_name[i] = text, policies = i > policies ? i : policies, 1)
stats data using (name_sign(int(column("sign")), column("threshold")), \
                  name_policy(int(column("series")), strcol("series_name")), column("floor_known") > 0 ? \
                  see_floor(1, 1, column("floor_delta_low"), column("floor_delta_high"), column("floor_kl"), \
                  column("floor_kl_high")) : 0) nooutput
stats data using (column("skipped")) name "skipped" nooutput
stats data using (column("value") > 0 ? column("value") : NaN) name "kl" nooutput
stats data using (column("low") > 0 ? column("low") : NaN) name "kl_low" nooutput
stats data using (column("high")) name "kl_high" nooutput
load folder."kl_frame.gp"
bottom = kl_bottom
top = kl_top

longest = 12
do for [i = 1:policies] { if (strlen(policy_name[i]) > longest) { longest = strlen(policy_name[i]) } }
do for [i = 1:signs] { if (strlen(sign_name[i]) > longest) { longest = strlen(sign_name[i]) } }
width_in = 6.4
columns = int((width_in - 0.4) / (0.7 + 0.085 * longest))
columns = columns < 1 ? 1 : columns > 4 ? 4 : columns
lines_policies = ceil((policies + (floor_shown ? 1 : 0)) / (1.0 * columns))
lines_signs = ceil(signs / (1.0 * columns))
legend_in = 0.3 + 0.225 * (lines_policies + lines_signs)
panel_in = 3.6
height_in = panel_in + legend_in
load folder."terminal.gp"

clip(v) = v > bottom ? v : bottom
wide = skipped_max > 0 ? 100 * skipped_max : 1
is(i) = int(column("series")) == i
signed(i, s) = int(column("series")) == i && int(column("sign")) == s

set multiplot
set size 1, panel_in / height_in
set origin 0, legend_in / height_in
set lmargin 10
set rmargin 3
set xlabel "softmax weights skipped (%)"
set ylabel "KL to full precision (nats)"
set xrange [-0.04 * wide:1.06 * wide]
set logscale y 10
axis = "y"
axis_low = bottom
axis_high = top
load folder."log_tics.gp"
set yrange [bottom:top]
unset key
if (floor_shown) {
    set object 1 rectangle from -0.04 * wide, bottom to 1.06 * wide, (floor_kl_high[1] < top ? floor_kl_high[1] : top) \
        fillcolor rgb "#DDDDDD" fillstyle solid noborder back
    if (floor_kl[1] > bottom) {
        set arrow 1 from -0.04 * wide, floor_kl[1] to 1.06 * wide, floor_kl[1] nohead dashtype (8, 4) linewidth 1.2 \
            linecolor rgb "#444444" back
    }
}
plot for [i = 1:policies] data using (is(i) ? 100 * column("skipped") : NaN):(clip(column("value"))) with lines \
         linecolor rgb colour_of(i) dashtype dash_of(i) linewidth 1.4, \
     for [i = 1:policies] for [s = 1:signs] data using (signed(i, s) ? 100 * column("skipped") : NaN):\
         (clip(column("value"))):(clip(column("low"))):(clip(column("high"))) with yerrorbars \
         linecolor rgb colour_of(i) pointtype point[(s - 1) % 12 + 1] pointsize 0.9 linewidth 1.2
unset object 1
unset arrow 1
unset logscale
unset mytics
unset border
unset tics
unset grid
unset xlabel
unset ylabel
set xrange [0:1]
set yrange [0:1]
set lmargin 1
set rmargin 1
set tmargin 0
set bmargin 0
set key center center horizontal maxcols columns samplen 3 spacing 1.1 width 1 Left reverse noenhanced
part = (0.1 + 0.225 * lines_policies) / height_in
set size 1, part
set origin 0, legend_in / height_in - part - 0.05 / height_in
if (floor_shown) {
    plot for [i = 1:policies] NaN with lines linecolor rgb colour_of(i) dashtype dash_of(i) linewidth 1.4 \
             title policy_name[i], \
         NaN with lines linecolor rgb "#444444" dashtype (8, 4) linewidth 1.2 title "noise floor"
} else {
    plot for [i = 1:policies] NaN with lines linecolor rgb colour_of(i) dashtype dash_of(i) linewidth 1.4 \
             title policy_name[i]
}
set size 1, (0.1 + 0.225 * lines_signs) / height_in
set origin 0, 0
plot for [s = 1:signs] NaN with points linecolor rgb "#444444" pointtype point[(s - 1) % 12 + 1] pointsize 0.9 \
         title sign_name[s]
unset multiplot
