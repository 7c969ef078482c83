# Records clusgap.json: Rscript tests/robustness/make_clusgap.R > tests/robustness/clusgap.json
# Debian packages r-base-core and r-cran-cluster. No two merges of a tree are tied.
suppressPackageStartupMessages(library(cluster))

number <- function(x) formatC(x, digits = 17, format = "g")
list_of <- function(x) paste0("[", paste(x, collapse = ", "), "]")
rows_of <- function(x) list_of(apply(x, 1, function(row) list_of(number(row))))

# ln W of the cuts by hclust, as clusGap computes it (W halved), and what maxSE makes of the gaps
measure <- function(name, points, n_references, seed) {
  set.seed(seed)
  most <- 8
  cut_at <- function(x, k) list(cluster = cutree(hclust(dist(x), "ward.D2"), k))
  table <- clusGap(points, cut_at, K.max = most, B = 2, d.power = 2, verbose = FALSE)$Tab
  box <- apply(points, 2, range)
  references <- t(replicate(n_references, {
    drawn <- apply(box, 2, function(ends) runif(nrow(points), ends[1], ends[2]))
    clusGap(drawn, cut_at, K.max = most, B = 2, d.power = 2, verbose = FALSE)$Tab[, "logW"]
  }))
  gap <- colMeans(references) - table[, "logW"]
  deviation <- apply(references, 2, function(x) sqrt(mean((x - mean(x))^2)))
  error <- deviation * sqrt(1 + 1 / n_references)
  parts <- c(
    name = paste0('"', name, '"'), points = rows_of(points),
    log_w = list_of(number(table[, "logW"])), references = rows_of(references),
    gap = list_of(number(gap)), error = list_of(number(error)),
    chosen = maxSE(gap, error, method = "Tibs2001SEmax"),
    by_maximum = maxSE(gap, error, method = "globalmax")
  )
  paste0("{", paste0('"', names(parts), '": ', parts, collapse = ", "), "}")
}

set.seed(1)
three <- do.call(rbind, lapply(list(c(0, 0), c(4, 0), c(0, 4)), function(centre) {
  sweep(matrix(rnorm(20, sd = 0.5), ncol = 2), 2, centre, "+")
}))
uniform <- matrix(runif(60), ncol = 2)
nested <- do.call(rbind, lapply(list(c(0, 0), c(1, 1), c(9, 9), c(10, 8)), function(centre) {
  sweep(matrix(rnorm(16, sd = 0.2), ncol = 2), 2, centre, "+")
}))
cases <- c(
  measure("three clusters", three, 20, 2),
  measure("no clusters", uniform, 20, 3),
  measure("pairs of clusters", nested, 20, 4)
)
cat("{\n")
cat('"call": "Rscript tests/robustness/make_clusgap.R",\n')
cat('"r": "', R.version.string, '",\n', sep = "")
cat('"cluster": "', as.character(packageVersion("cluster")), '",\n', sep = "")
cat('"cases": [\n', paste(cases, collapse = ",\n"), "\n]\n}\n", sep = "")
