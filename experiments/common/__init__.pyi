from . import cache as cache
from . import intervals as intervals
from . import markdown as markdown
from . import record as record
from . import timing as timing
