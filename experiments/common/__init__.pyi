from . import cache as cache
from . import drawing as drawing
from . import intervals as intervals
from . import record as record
from . import sweep as sweep
from . import timing as timing
