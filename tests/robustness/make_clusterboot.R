# Records clusterboot.json: Rscript tests/robustness/make_clusterboot.R > tests/robustness/clusterboot.json
# Debian packages r-base-core and r-cran-fpc.
suppressPackageStartupMessages(library(fpc))

number <- function(x) formatC(x, digits = 17, format = "g", width = 1)
list_of <- function(x) paste0("[", paste(x, collapse = ", "), "]")
object <- function(...) {
  parts <- c(...)
  paste0("{", paste0('"', names(parts), '": ', parts, collapse = ",\n "), "}")
}

# 30 objects in groups of 10, 8, 7 and 5; test_target_jaccard.py computes the same numbers.
groups <- rep(1:4, c(10, 8, 7, 5))
noise <- function(i, j) (7 * i^2 + 13 * i * j + 11 * j^2 + 5 * i * j^2 + 3 * i^3) %% 101 / 101 - 0.5
centres <- rbind(c(0, 0, 0), c(1.1, 0.2, 0), c(0.3, 0.9, 0.3), c(0.9, 0.9, 0.8))
data <- outer(1:30, 1:3, noise) + centres[groups, ]

record <- function(method, k, seed, B = 1000) {
  found <- clusterboot(data,
    B = B, bootmethod = c("boot", "subset"), subtuning = 20, clustermethod = hclustCBI,
    k = k, method = method, scaling = FALSE, seed = seed, count = FALSE
  )
  stopifnot(!anyDuplicated(round(found$result$result$height, 9)))
  object(
    method = paste0('"', method, '"'), k = k, seed = seed, n_draws = B, subset_size = 20,
    partition = list_of(found$partition),
    boot_mean = list_of(number(found$bootmean)),
    boot_deviation = list_of(number(apply(found$bootresult, 1, sd))),
    boot_zeros = list_of(rowSums(found$bootresult == 0)),
    subset_mean = list_of(number(found$subsetmean)),
    subset_deviation = list_of(number(apply(found$subsetresult, 1, sd))),
    subset_zeros = list_of(rowSums(found$subsetresult == 0))
  )
}

cases <- c(
  record("ward.D2", 4, 1), record("average", 4, 2), record("ward.D2", 6, 3), record("average", 6, 4)
)
cat("{\n")
cat('"call": "Rscript tests/robustness/make_clusterboot.R",\n')
cat('"r": "', R.version.string, '",\n', sep = "")
cat('"fpc": "', as.character(packageVersion("fpc")), '",\n', sep = "")
cat('"multipleboot": false,\n')
cat('"data_sum": ', number(sum(data * row(data) * col(data))), ",\n", sep = "")
cat('"cases": [\n', paste(cases, collapse = ",\n"), "\n]\n}\n", sep = "")
