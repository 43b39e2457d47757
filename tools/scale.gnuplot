# Plots assets/scale.csv, written by tools/bench-scale.sh, as assets/scale.svg.
csv = "assets/scale.csv"
set datafile separator ","
set datafile columnheaders
set terminal svg size 900,460 font "sans-serif,13" background "white"
set output "assets/scale.svg"

set logscale xy
set xlabel "keys"
set ylabel "seconds"
set format y "%g"
set xrange [90:]
set xtics (100, 200, 500, 1000, 2000, 5000)
set grid xtics ytics lc rgb "#dddddd"
set key outside right center Left reverse samplen 2
set border 3
set tics nomirror

# Of each command: what it takes with so many hsm_key, and with as many terraform_data.
of(command, column) = strcol(2) eq command ? column(column) : NaN
set datafile missing NaN
plot \
  csv using 1:(of("apply", 3))   with linespoints lw 2 pt 7 ps .6 lc rgb "#c0392b" title "apply", \
  csv using 1:(of("apply", 4))   with linespoints lw 1 dt 2 pt 7 ps .4 lc rgb "#c0392b" title "apply, Terraform itself", \
  csv using 1:(of("refresh", 3)) with linespoints lw 2 pt 7 ps .6 lc rgb "#d68910" title "refresh", \
  csv using 1:(of("plan", 3))    with linespoints lw 2 pt 7 ps .6 lc rgb "#2471a3" title "plan without changes", \
  csv using 1:(of("plan", 4))    with linespoints lw 1 dt 2 pt 7 ps .4 lc rgb "#2471a3" title "plan, Terraform itself", \
  csv using 1:(of("search", 3))  with linespoints lw 2 pt 7 ps .6 lc rgb "#1e8449" title "one search of the token"
