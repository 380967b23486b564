"""JMESPath (https://jmespath.org), whole: text into a node, which finds values in JSON.

    tokens → parser → nodes, which call functions; values says what JMESPath thinks of JSON, and work what it costs

Whatever the text and the JSON are, parsing and finding end soon, with a value or with a Fault: `Work` bounds what one
evaluation may do, and MAX_DEPTH how deep one may be. Nothing else limits the language. Where the specification is silent
and its library does what nobody can mean, `docs/decisions/0019` says what is done here.
"""

from tailrace.domain.jmespath.faults import Fault
from tailrace.domain.jmespath.nodes import Node
from tailrace.domain.jmespath.parser import MAX_DEPTH, parse
from tailrace.domain.jmespath.work import MAX_WORK, Work

__all__ = ["MAX_DEPTH", "MAX_WORK", "Fault", "Node", "Work", "parse"]
