# Rate against the error of inner products with queries independent of the vector (rho = 0), in units in which 1 is the
# size of the true inner products of random directions.
data = ARG1
out = ARG2
kind = ARG3
cut = 0
do for [i = 1:strlen(ARG0)] { if (ARG0[i:i] eq "/") { cut = i } }
folder = cut > 0 ? ARG0[1:cut] : ""
load folder."style.gp"
y_label = "inner-product RMSE × √d at ρ = 0"
floor_title = "rate-distortion floor 2^-b"
floor_of(b) = 2.0 ** (-b)
load folder."rate.gp"
