"""Run the command line with ``python -m survey_tools``."""

from survey_tools.cli import main

if __name__ == "__main__":
    main()
