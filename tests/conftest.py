"""Settings of the whole suite."""

import os

# scikit-learn's array API check is skipped without it; read when scipy is imported
os.environ["SCIPY_ARRAY_API"] = "1"
