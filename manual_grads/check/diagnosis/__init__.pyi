from .causes import Cause as Cause
from .diagnose import diagnose as diagnose
from .measured import MOST_SINGLES as MOST_SINGLES
from .measured import Question as Question
