# Records dendextend.json: Rscript tests/agreement/make_dendextend.R > tests/agreement/dendextend.json
# Debian packages r-base-core and r-cran-dendextend. No two merges of a tree are tied.
suppressPackageStartupMessages(library(dendextend))
dendextend_options("warn", FALSE)

number <- function(x) formatC(x, digits = 17, format = "g")
list_of <- function(x) paste0("[", paste(x, collapse = ", "), "]")
text_of <- function(x) list_of(paste0('"', x, '"'))
object <- function(...) {
  parts <- c(...)
  paste0("{", paste0('"', names(parts), '": ', parts, collapse = ", "), "}")
}

describe <- function(tree, dend) {
  rows <- apply(tree$merge, 1, list_of) # negative: a leaf, from -1 on; positive: a merge, from 1 on
  object(
    labels = text_of(tree$labels), merge = list_of(rows),
    heights = list_of(number(tree$height)), drawn = text_of(labels(dend))
  )
}

compare <- function(name, n, noise, methods, seed) {
  set.seed(seed)
  points <- matrix(rnorm(3 * n), n)
  rownames(points) <- sprintf("p%02d", sample(n))
  moved <- points + noise * rnorm(3 * n)
  moved <- moved[sample(n), ] # rows of the second tree stand in another order
  trees <- list(hclust(dist(points), methods[1]), hclust(dist(moved), methods[2]))
  stopifnot(!anyDuplicated(trees[[1]]$height), !anyDuplicated(trees[[2]]$height))
  dends <- lapply(trees, as.dendrogram)
  curve <- Bk(trees[[1]], trees[[2]])
  turned <- untangle(dends[[1]], dends[[2]], method = "step2side", print_times = FALSE)
  object(
    name = paste0('"', name, '"'),
    a = describe(trees[[1]], dends[[1]]), b = describe(trees[[2]], dends[[2]]),
    cophenetic = number(cor_cophenetic(dends[[1]], dends[[2]])),
    bakers_gamma = number(cor_bakers_gamma(dends[[1]], dends[[2]])),
    bk_numbers = list_of(names(curve)), bk_values = list_of(number(unlist(curve))),
    bk_expected = list_of(number(sapply(curve, attr, "E_FM"))),
    entanglement = number(entanglement(dends[[1]], dends[[2]], L = 1.5)),
    entanglement_1 = number(entanglement(dends[[1]], dends[[2]], L = 1)),
    untangled = number(entanglement(turned[[1]], turned[[2]], L = 1.5))
  )
}

cases <- c(
  compare("ward and average, alike", 12, 0.3, c("ward.D2", "average"), 1),
  compare("average and complete", 30, 0.5, c("average", "complete"), 2),
  compare("single and ward", 25, 0.8, c("single", "ward.D2"), 3),
  compare("complete, unlike", 40, 5, c("complete", "complete"), 4),
  compare("ward, alike", 40, 0.2, c("ward.D2", "ward.D2"), 5)
)
cat("{\n")
cat('"call": "Rscript tests/agreement/make_dendextend.R",\n')
cat('"r": "', R.version.string, '",\n', sep = "")
cat('"dendextend": "', as.character(packageVersion("dendextend")), '",\n', sep = "")
cat('"cases": [\n', paste(cases, collapse = ",\n"), "\n]\n}\n", sep = "")
