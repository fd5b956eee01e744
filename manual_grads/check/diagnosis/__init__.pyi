from .causes import Cause as Cause
from .diagnose import Question as Question
from .diagnose import diagnose as diagnose
