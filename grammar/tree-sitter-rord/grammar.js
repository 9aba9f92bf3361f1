// The grammar of .rord for tree-sitter. Rules are named as in ../rord.ebnf; tests/grammar.rs compares names and quoted words.
// Levels of expressions that only pass on what is below them begin with `_` and make no node.

const PREC = { pipe: 1, cond: 2, compare: 3, sum: 4, product: 5, range: 6, unary: 7, postfix: 8 };

// [ a , { "," , a } , [ "," ] ]
const commas = (rule) => optional(seq(rule, repeat(seq(',', rule)), optional(',')));

const KEYWORDS = [
  'rord', 'pipeline', 'import', 'param', 'preset', 'sweep', 'input', 'data', 'model', 'layer', 'fn', 'let', 'loss', 'metric',
  'minimize', 'train', 'save', 'export', 'out', 'as', 'in', 'if', 'then', 'else', 'true', 'false',
];

module.exports = grammar({
  name: 'rord',

  extras: ($) => [/[ \t\r\n]/, $.comment],

  word: ($) => $.name,

  // Names of arguments and of fields with a value are `_word`, which lists them again.
  reserved: { global: () => KEYWORDS },

  // After a type, `@name` is its frame, and `@name(` the attribute of the next item. `part` before a name begins a part, or is a name
  // before the next one; the `{` tells.
  conflicts: ($) => [[$.type], [$.assignment, $.part]],

  rules: {
    file: ($) => seq(optional($.version), repeat($._item)),
    version: ($) => seq('rord', $.number),

    _item: ($) =>
      seq(repeat(choice($.doc, $.attribute)), choice(
        $.pipeline, $.import, $.param, $.preset, $.sweep, $.input, $.data, $.model, $.layer, $.fn, $.let,
        $.loss, $.metric, $.minimize, $.section,
      )),

    attribute: ($) => seq('@', field('name', $.name), $.arguments),

    pipeline: ($) => seq('pipeline', field('name', $.string), optional(field('about', $.string))),
    import: ($) => seq('import', field('path', $.string), '{', commas($.name), '}'),

    param: ($) =>
      seq('param', field('name', $.name), ':', $.type, optional(seq('=', $._expr)), optional(seq('in', $.domain)),
        optional(field('about', $.string))),
    domain: ($) =>
      choice(seq(choice('[', '('), $._expr, ',', $._expr, choice(']', ')')), seq('{', commas($._expr), '}')),

    preset: ($) => seq('preset', field('name', $.name), $.fields),
    sweep: ($) => seq('sweep', field('name', $.name), $.fields),

    input: ($) => seq('input', field('name', $.name), ':', $.type),
    data: ($) => seq('data', field('name', $.name), '=', $._expr, optional(seq('->', '{', commas($.field), '}'))),
    field: ($) => seq(field('name', $.name), ':', $.type),

    model: ($) =>
      seq('model', field('name', $.name), $.params, '{', repeat(choice($.doc, $.let, $.out, $.weight)), '}'),
    out: ($) => seq('out', field('name', $.name), optional(seq(':', $.type)), '=', $._expr),
    weight: ($) => seq('weight', field('name', $.name), ':', $.type, '=', $._expr),
    layer: ($) => seq('layer', field('name', $.name), $.params, optional(seq('->', $.type)), $._body),
    fn: ($) => seq('fn', field('name', $.name), $.params, optional(seq('->', $.type)), $._body),
    _body: ($) =>
      choice(seq('=', $._expr), seq('{', repeat(choice($.doc, $.let)), 'out', '=', field('value', $._expr), '}')),
    params: ($) => seq('(', commas($.parameter), ')'),
    parameter: ($) =>
      seq(field('name', $.name), ':', $.type, optional(seq('=', $._expr)), optional(seq('in', $.domain))),

    let: ($) => seq('let', $.pattern, optional(seq(':', $.type)), '=', $._expr),
    pattern: ($) => choice(field('name', $.name), seq('{', commas($.binding), '}')),
    binding: ($) => seq(field('field', $.name), optional(seq('as', field('name', $.name)))),

    loss: ($) => seq('loss', field('name', $.name), '=', $._expr),
    metric: ($) => seq('metric', field('name', $.name), '=', $._expr),
    minimize: ($) =>
      seq('minimize', field('name', $.name), optional(seq('of', $.name, repeat(seq(',', $.name)))), '=', $._expr),

    section: ($) =>
      choice(
        seq(choice('save', 'export'), $.fields),
        seq('train', '{', repeat(seq(choice($.part, $.assignment), optional(','))), '}'),
      ),
    fields: ($) => seq('{', repeat(seq($.assignment, optional(','))), '}'),
    // `part` begins a part where a path follows, and is a name elsewhere.
    assignment: ($) =>
      choice(
        field('name', $.name),
        field('name', alias('part', $.name)),
        seq(field('name', choice($._word, alias('part', $.name))), '=', $._expr),
      ),
    // `part` and `under` are names elsewhere; what follows decides.
    part: ($) =>
      seq('part', choice(seq(field('path', $.name), repeat(seq('.', field('path', $._word)))), field('path', $.string)),
        '{', repeat(seq($.assignment, optional(seq('under', $.string)), optional(','))), '}'),

    _expr: ($) => choice($.pipe, $._cond),
    pipe: ($) => prec.left(PREC.pipe, seq($._expr, '|>', $._cond)),
    _cond: ($) => choice($.if, $._compare),
    // An `else` reaches as far as it can.
    if: ($) => prec.right(seq('if', $._expr, 'then', $._expr, 'else', $._expr)),
    _compare: ($) => choice($.compare, $.sum, $.product, $.range, $.unary, $._postfix),
    compare: ($) => operators($, PREC.compare, choice('<', '>', '<=', '>=', '==')),
    sum: ($) => operators($, PREC.sum, choice('+', '-')),
    product: ($) => operators($, PREC.product, choice('*', '/')),
    range: ($) => prec(PREC.range, seq($._unary, '..', $._unary)),
    _unary: ($) => choice($.unary, $._postfix),
    unary: ($) => prec(PREC.unary, seq('-', $._unary)),
    _postfix: ($) => choice($.call, $.member, $._atom),
    call: ($) => prec(PREC.postfix, seq($._postfix, $.arguments)),
    member: ($) => prec(PREC.postfix, seq(choice($._postfix, 'train'), '.', field('name', $._word))),
    arguments: ($) => seq('(', commas($.arg), ')'),
    arg: ($) => seq(optional(seq(field('name', $._word), '=')), $._expr),
    _atom: ($) => choice($.number, $.string, $.boolean, $.name, $.list, $.group),
    boolean: () => choice('true', 'false'),
    list: ($) => seq('[', commas($._expr), ']'),
    group: ($) => seq('(', $._expr, ')'),

    type: ($) =>
      seq(field('kind', $.name), optional('unit'), optional(seq('[', commas(choice($.axis, $._dim)), ']')),
        optional(seq('@', field('frame', $.name), optional(seq('->', field('to', $.name)))))),
    axis: ($) => seq(field('name', $.name), $._dim),
    _dim: ($) => choice($.dim, $._term),
    dim: ($) => prec.left(PREC.sum, seq($._dim, choice('+', '-'), $._term)),
    _term: ($) => choice($.term, $._size),
    term: ($) => prec.left(PREC.product, seq($._term, choice('*', '/'), $._size)),
    _size: ($) => choice($.int, $.name, '_'),
    int: () => /[0-9]+/,

    _word: ($) => choice($.name, ...KEYWORDS.map((word) => alias(word, $.name))),
    name: () => /[\p{L}\p{Nl}][\p{L}\p{Nl}\p{N}_]*|_[\p{L}\p{Nl}\p{N}_]+/,

    number: () => /[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?(px|deg|epochs|steps|min|x)?/,
    string: () => /"([^"\\\n]|\\["\\nt])*"/,

    doc: () => token(prec(1, /##([^#\n][^\n]*)?/)),
    // An empty comment takes its line's end along; else `##` could be read as two comments.
    comment: () => token(choice(/#[^#\n][^\n]*/, /#\n/, /###[^\n]*/)),
  },
});

function operators($, strength, which) {
  return prec.left(strength, seq($._compare, field('operator', which), $._compare));
}
