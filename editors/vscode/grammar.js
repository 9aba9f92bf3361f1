// Takes the grammar in from grammar/rord.tmLanguage.json, so that the folder can be packed by itself. With --check it only says
// whether the copy is still the same.

"use strict";

const fs = require("fs");
const path = require("path");

const from = path.join(__dirname, "..", "..", "grammar", "rord.tmLanguage.json");
const to = path.join(__dirname, "rord.tmLanguage.json");
const text = fs.readFileSync(from, "utf8");

if (process.argv.includes("--check")) {
  if (!fs.existsSync(to) || fs.readFileSync(to, "utf8") !== text) {
    console.error("rord.tmLanguage.json is not the one in grammar/; run: node grammar.js");
    process.exit(1);
  }
} else {
  fs.writeFileSync(to, text);
}
