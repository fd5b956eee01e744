from .joined import agreed as agreed
from .joined import joined as joined
from .joined import require_same as require_same
from .joined import shared as shared
from .parent import ProcessLostError as ProcessLostError
from .parent import has_parent as has_parent
from .parent import supervise as supervise
