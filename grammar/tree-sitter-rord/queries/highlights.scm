; Highlighting of .rord. What is said later wins where two patterns fit.

(name) @variable

[
  "rord" "pipeline" "import" "param" "preset" "sweep" "input" "data" "model" "layer" "fn" "let" "loss" "metric" "minimize"
  "train" "save" "export" "out" "as" "in" "unit" "weight" "of" "part" "under"
] @keyword

["if" "then" "else"] @keyword.conditional

(boolean) @boolean
[(number) (int)] @number
(string) @string
(comment) @comment
(doc) @comment.documentation

["+" "-" "*" "/" "<" ">" "<=" ">=" "==" "=" "|>" ".." "->"] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":" "."] @punctuation.delimiter
"_" @variable.builtin

(attribute "@" @attribute name: (name) @attribute)
(type kind: (name) @type)
(type "@" @punctuation.special)
(type frame: (name) @label)
(type to: (name) @label)

(param name: (name) @variable.parameter)
(parameter name: (name) @variable.parameter)
(arg name: (name) @variable.parameter)
(assignment name: (name) @property)
(part path: (name) @property)
(field name: (name) @property)
(member name: (name) @property)
(binding field: (name) @property)

(model name: (name) @function)
(layer name: (name) @function)
(fn name: (name) @function)
(call (name) @function.call)
(pipe (name) @function.call .)
