// Starts `rord-run lsp` and lets the editor speak with it.

"use strict";

const vscode = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

let client;

function make() {
  const settings = vscode.workspace.getConfiguration("rord");
  const command = settings.get("path") || "rord-run";
  const server = { command, args: ["lsp"], transport: TransportKind.stdio };
  return new LanguageClient("rord", "rord", server, {
    documentSelector: [{ language: "rord" }],
    initializationOptions: { importRoot: settings.get("importRoot") || "" },
  });
}

async function start() {
  client = make();
  try {
    await client.start();
  } catch (error) {
    const choice = await vscode.window.showErrorMessage(
      `rord: cannot start the language server: ${error.message}. Is rord-run on the path, or named by rord.path?`,
      "Settings",
    );
    if (choice === "Settings") {
      await vscode.commands.executeCommand("workbench.action.openSettings", "rord.path");
    }
  }
}

async function stop() {
  const old = client;
  client = undefined;
  if (old && old.isRunning()) {
    await old.stop();
  }
}

async function activate(context) {
  const restart = async () => {
    await stop();
    await start();
  };
  context.subscriptions.push(vscode.commands.registerCommand("rord.restart", restart));
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (["rord.path", "rord.importRoot"].some((name) => event.affectsConfiguration(name))) {
        return restart();
      }
    }),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
