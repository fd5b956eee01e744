from .answers import Answer as Answer
from .answers import Known as Known
from .delta_lines import right_output as right_output
from .leaf_lines import leaf_line as leaf_line
from .search import Examples as Examples
from .search import Path as Path
from .search import explain as explain
