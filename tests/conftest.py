"""What all tests share."""

import os

from hypothesis import settings

# A machine that is busy with something else is no reason to fail. What CI draws is the same each
# time; elsewhere each run looks at other examples.
settings.register_profile("allennlp_gated", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("allennlp_gated")
