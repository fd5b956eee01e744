from .joined import agreed as agreed
from .joined import joined as joined
from .joined import require_same as require_same
from .joined import shared as shared
from .supervisor import ProcessLostError as ProcessLostError
from .supervisor import has_parent as has_parent
from .supervisor import supervise as supervise
