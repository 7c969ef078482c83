# Records pvclust.json: Rscript tests/robustness/make_pvclust.R > tests/robustness/pvclust.json
# Debian packages r-base-core and r-cran-pvclust; two minutes. Objects stand in columns.
suppressPackageStartupMessages(library(pvclust))

number <- function(x) {
  text <- formatC(x, digits = 17, format = "g", width = 1)
  ifelse(is.nan(x) | is.na(x), "null", text)
}
list_of <- function(x) paste0("[", paste(x, collapse = ", "), "]")
rows_of <- function(x) paste0("[\n  ", paste(apply(x, 1, list_of), collapse = ",\n  "), "\n]")
object <- function(...) {
  parts <- c(...)
  paste0("{", paste0('"', names(parts), '": ', parts, collapse = ",\n "), "}")
}

# Six groups of two objects and 40 variables; test_multiscale.py computes the same numbers.
noise <- function(i, j) (7 * i^2 + 13 * i * j + 11 * j^2 + 5 * i * j^2 + 3 * i^3) %% 101 / 101 - 0.5
signal <- function(g, j) (17 * g^2 + 29 * g * j + 19 * j^2 + 23 * g * j^2 + 7 * g^3) %% 97 / 97 - 0.5
weights <- c(1.2, 0.9, 0.7, 0.55, 0.45, 0.35) # of the signal of each group
pairs <- function(i) (i - 1) %/% 2 + 1
data <- outer(1:40, 1:12, function(j, i) {
  g <- pairs(i)
  noise(i, j) + weights[g] * signal(g, j) + 0.5 * signal(10 + (g - 1) %/% 2, j)
})

fit_rows <- function(bp, r, nboot) {
  fits <- apply(bp, 1, msfit, r = r, nboot = nboot)
  t(sapply(fits, function(f) c(f$p[c("au", "bp")], f$se[c("au", "bp")], f$coef, f$pchi, f$df)))
}

whole <- function(metric, seed, nboot = 10000) {
  set.seed(seed)
  found <- pvclust(data,
    method.hclust = "average", method.dist = metric, nboot = nboot, quiet = TRUE
  )
  e <- found$edges
  columns <- cbind(e$au, e$bp, e$se.au, e$se.bp, e$v, e$c, e$pchi, sapply(found$msfit, "[[", "df"))
  object(
    metric = paste0('"', metric, '"'), seed = seed, nboot = nboot,
    scales = list_of(number(found$r)), merges = rows_of(found$hclust$merge),
    heights = list_of(number(found$hclust$height)),
    counts = rows_of(as.matrix(found$count)), fits = rows_of(apply(columns, 2, number))
  )
}

# Counts at the edges: none, all, few, half, two scales of use, three, far from any fit.
edges <- rbind(
  c(0, 0, 0, 0, 0), c(100, 200, 300, 400, 500), c(0, 0, 1, 0, 0), c(50, 100, 300, 400, 500),
  c(0, 100, 150, 400, 500), c(0, 0, 150, 400, 500), c(0, 20, 60, 120, 0), c(99, 199, 299, 399, 499),
  c(10, 120, 40, 300, 100), c(1, 1, 1, 1, 1), c(0, 200, 300, 400, 0)
)
nboot <- c(100, 200, 300, 400, 500)
r <- c(0.55, 0.8, 1, 1.175, 1.4)
edge_fits <- fit_rows(sweep(edges, 2, nboot, "/"), r, nboot)
thousand <- rbind(c(0, 1, 2, 5, 9, 30), c(1000, 999, 998, 990, 980, 900), c(1, 1, 2, 1, 0, 0))
thousand_r <- c(0.5, 0.7, 0.9, 1, 1.2, 1.4)
thousand_fits <- fit_rows(thousand / 1000, thousand_r, 1000)

by_hand <- function(counts, r, nboot, fits) {
  object(
    scales = list_of(number(r)), nboot = list_of(nboot), counts = rows_of(counts),
    fits = rows_of(apply(fits, 2, number))
  )
}

cat("{\n")
cat('"call": "Rscript tests/robustness/make_pvclust.R",\n')
cat('"r": "', R.version.string, '",\n', sep = "")
cat('"pvclust": "', as.character(packageVersion("pvclust")), '",\n', sep = "")
cat('"columns": ["au", "bp", "au_error", "bp_error", "v", "c", "p_value", "df"],\n')
cat('"data_sum": ', number(sum(data * row(data) * col(data))), ",\n", sep = "")
cat('"msfit": [\n', by_hand(edges, r, nboot, edge_fits), ",\n", sep = "")
cat(by_hand(thousand, thousand_r, rep(1000, 6), thousand_fits), "\n],\n", sep = "")
cat('"pvclust_runs": [\n', whole("correlation", 1), ",\n", whole("euclidean", 2), "\n]\n}\n", sep = "")
