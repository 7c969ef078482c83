"""Partitions, covers, trees and raters -> indices of agreement, with chance and interval."""
