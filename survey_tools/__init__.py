"""survey-tools: write, analyse and review literature surveys.

Importing the package loads nothing heavy; import the room that you need, for
example ``from survey_tools.run import run_study``.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
