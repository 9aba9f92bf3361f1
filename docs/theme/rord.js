// Colors for `rord` blocks: mdBook's highlight.js is told the language, and goes over the blocks that it left alone.
hljs.registerLanguage("rord", () => ({
  name: "rord",
  keywords: {
    keyword: "rord pipeline import param preset sweep input data model layer fn let loss metric minimize train save export out as in if then else",
    literal: "true false none",
  },
  contains: [
    { className: "doctag", begin: /##/, end: /$/ },
    { className: "comment", begin: /#/, end: /$/ },
    { className: "string", begin: /"/, end: /"/, contains: [{ begin: /\\./ }] },
    { className: "number", begin: /\b\d+(\.\d+)?([eE][+-]?\d+)?(px|deg|epochs|steps|min|x)?\b/ },
    { className: "meta", begin: /@\w+(->\w+)?/ },
    { className: "type", begin: /\b[A-Z][a-z]\w*/ },
    { className: "built_in", begin: /\b[a-z_]\w*(?=\()/ },
  ],
}));
document.querySelectorAll("code.language-rord").forEach((block) => {
  block.classList.remove("no-highlight");
  hljs.highlightBlock(block);
});
