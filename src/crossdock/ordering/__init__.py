"""Orders before and beside their process: intake, validation, screening, holds and tasks."""
