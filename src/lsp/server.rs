//! The loop: messages in, answers out, reports sent once nothing more is waiting.
//!
//! Changes that have queued up are all taken in before anything is checked, so a fast typist waits for one check and not for ten. A
//! request that cannot be answered is answered with an error; nothing but `exit` and the end of the input ends the server.

use std::collections::{HashSet, VecDeque};
use std::io::{BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};

use lsp_server::{ErrorCode, Message, Notification, Request, RequestId};
use lsp_types::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::position::{Encoding, Lines};
use super::transport::{self, Incoming};
use super::world::{Analysis, World};
use super::{
    actions, complete, diagnostics, format, hints, hover, navigate, outline, rename, semantic, signature, uri,
};

/// Serves until `exit` or the end of the input. True where `shutdown` came before `exit`. Imports may come from `import_root`, if
/// one is given and the editor names no other.
pub fn serve(input: impl Read + Send + 'static, output: impl Write, import_root: Option<PathBuf>) -> bool {
    let (sender, receiver) = channel();
    // It ends with the input, or with the process.
    std::thread::spawn(move || {
        let mut input = BufReader::new(input);
        while let Some(incoming) = transport::read(&mut input) {
            if sender.send(incoming).is_err() {
                break;
            }
        }
    });
    let mut server = Server {
        output,
        receiver,
        queue: VecDeque::new(),
        world: None,
        import_root,
        client: Client::default(),
        shut: false,
        sent: 0,
    };
    server.run()
}

/// What the editor can do.
#[derive(Default)]
struct Client {
    related: bool,
    labels: bool,
    watches: bool,
}

struct Server<W: Write> {
    output: W,
    receiver: Receiver<Incoming>,
    queue: VecDeque<Incoming>,
    world: Option<World>,
    import_root: Option<PathBuf>,
    client: Client,
    shut: bool,
    /// How many requests went to the editor.
    sent: i32,
}

/// What a request comes to.
type Answer = Result<Value, (ErrorCode, String)>;

impl<W: Write> Server<W> {
    fn run(&mut self) -> bool {
        loop {
            if self.queue.is_empty() {
                while let Ok(more) = self.receiver.try_recv() {
                    self.queue.push_back(more);
                }
            }
            if self.queue.is_empty() {
                // Nothing waits: now there is time for reports.
                match catch_unwind(AssertUnwindSafe(|| self.publish())) {
                    Ok(Published::All) => match self.receiver.recv() {
                        Ok(next) => self.queue.push_back(next),
                        Err(_) => return self.shut,
                    },
                    Ok(Published::NobodyListens) => return false,
                    // There is more to send, or one text could not be checked; the next ones can.
                    Ok(Published::One) | Err(_) => {}
                }
                continue;
            }
            let Some(next) = self.queue.pop_front() else { continue };
            let written = match next {
                Incoming::Garbage(answer) => self.write(&answer),
                Incoming::Message(Message::Request(request)) => self.request(request),
                Incoming::Message(Message::Response(_)) => true,
                Incoming::Message(Message::Notification(notification)) => {
                    if notification.method == "exit" {
                        return self.shut;
                    }
                    // A notification has no answer, so what is wrong with one is passed over.
                    let _ = catch_unwind(AssertUnwindSafe(|| self.notification(notification)));
                    true
                }
            };
            if !written {
                return false;
            }
        }
    }

    /// False where nobody listens any more.
    fn write(&mut self, message: &Value) -> bool {
        transport::write(&mut self.output, message).is_ok()
    }

    fn notify(&mut self, method: &str, params: impl Serialize) -> bool {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
    }

    fn request(&mut self, request: Request) -> bool {
        let id = request.id.clone();
        let answer = match self.cancelled(&id) {
            true => Err((ErrorCode::RequestCanceled, "cancelled".into())),
            false => catch_unwind(AssertUnwindSafe(|| self.answer(request))).unwrap_or_else(|_| {
                Err((ErrorCode::InternalError, "this is a mistake in rord-run, please report it".into()))
            }),
        };
        let id = serde_json::to_value(&id).unwrap_or_default();
        self.write(&match answer {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err((code, message)) => {
                json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code as i32, "message": message } })
            }
        })
    }

    /// True where the editor has taken a request back that it still waits for.
    fn cancelled(&mut self, id: &RequestId) -> bool {
        while let Ok(more) = self.receiver.try_recv() {
            self.queue.push_back(more);
        }
        let id = serde_json::to_value(id).unwrap_or_default();
        self.queue.iter().any(|m| match m {
            Incoming::Message(Message::Notification(n)) => {
                n.method == "$/cancelRequest" && n.params.get("id") == Some(&id)
            }
            _ => false,
        })
    }

    fn answer(&mut self, request: Request) -> Answer {
        let Request { method, params, .. } = request;
        if self.shut {
            return Err((ErrorCode::InvalidRequest, "the server was shut down".into()));
        }
        match (method.as_str(), &self.world) {
            ("initialize", Some(_)) => Err((ErrorCode::InvalidRequest, "initialize came twice".into())),
            ("initialize", None) => self.initialize(read(params)?),
            ("shutdown", Some(_)) => {
                self.shut = true;
                Ok(Value::Null)
            }
            (_, None) => Err((ErrorCode::ServerNotInitialized, "initialize comes first".into())),
            (_, Some(world)) => feature(world, &self.client, &method, params),
        }
    }

    fn initialize(&mut self, params: InitializeParams) -> Answer {
        let capabilities = &params.capabilities;
        let general = capabilities.general.as_ref();
        let offered = general.and_then(|g| g.position_encodings.as_ref());
        let utf8 = offered.is_some_and(|all| all.contains(&PositionEncodingKind::UTF8));
        let encoding = if utf8 { Encoding::Utf8 } else { Encoding::Utf16 };
        let text = capabilities.text_document.as_ref();
        let workspace = capabilities.workspace.as_ref();
        let signatures = text.and_then(|t| t.signature_help.as_ref()?.signature_information.as_ref());
        self.client = Client {
            related: text.and_then(|t| t.publish_diagnostics.as_ref()?.related_information).unwrap_or(false),
            labels: signatures.and_then(|s| s.parameter_information.as_ref()?.label_offset_support).unwrap_or(false),
            watches: workspace.and_then(|w| w.did_change_watched_files.as_ref()?.dynamic_registration).unwrap_or(false),
        };
        #[allow(deprecated)] // older editors say it so
        let root = params.root_uri.as_ref();
        let named: Vec<&Uri> = match &params.workspace_folders {
            Some(folders) if !folders.is_empty() => folders.iter().map(|f| &f.uri).collect(),
            _ => root.into_iter().collect(),
        };
        let folders: Vec<PathBuf> = named.iter().filter_map(|u| uri::path(u.as_str())).collect();
        // A folder that the editor names lies where the editor works, one of the command line where that was given.
        let options = params.initialization_options.as_ref();
        let asked = options.and_then(|o| o.get("importRoot")?.as_str()).filter(|root| !root.is_empty());
        let asked = asked.map(|root| folders.first().map_or_else(|| PathBuf::from(root), |folder| folder.join(root)));
        let root = asked.or(self.import_root.take());
        self.world = Some(World::new(encoding, folders, root));
        let result = InitializeResult {
            capabilities: offer(encoding),
            server_info: Some(ServerInfo { name: "rord-run".into(), version: Some(env!("CARGO_PKG_VERSION").into()) }),
        };
        given(result)
    }

    fn notification(&mut self, notification: Notification) -> Option<()> {
        let Notification { method, params } = notification;
        let world = self.world.as_mut()?;
        match method.as_str() {
            "initialized" => self.watch(),
            "textDocument/didOpen" => {
                let DidOpenTextDocumentParams { text_document: d } = serde_json::from_value(params).ok()?;
                world.put(&d.uri, d.version, d.text);
            }
            "textDocument/didChange" => {
                let params: DidChangeTextDocumentParams = serde_json::from_value(params).ok()?;
                let id = &params.text_document;
                let mut text = world.open.get(id.uri.as_str())?.text.clone();
                for change in params.content_changes {
                    text = changed(text, change, world.encoding);
                }
                let uri = id.uri.clone();
                world.put(&uri, id.version, text);
            }
            "textDocument/didClose" => {
                let params: DidCloseTextDocumentParams = serde_json::from_value(params).ok()?;
                let gone = world.close(params.text_document.uri.as_str())?;
                let none = PublishDiagnosticsParams { uri: gone.uri, diagnostics: vec![], version: None };
                self.notify("textDocument/publishDiagnostics", none);
            }
            // What was written or changed on disk may be imported by what is open.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => world.forget(None),
            "workspace/didChangeWorkspaceFolders" => {
                let params: DidChangeWorkspaceFoldersParams = serde_json::from_value(params).ok()?;
                let path = |f: &WorkspaceFolder| uri::path(f.uri.as_str());
                let gone: HashSet<PathBuf> = params.event.removed.iter().filter_map(path).collect();
                world.folders.retain(|f| !gone.contains(f));
                world.folders.extend(params.event.added.iter().filter_map(path));
            }
            _ => {}
        }
        Some(())
    }

    /// Asks the editor to tell of pipelines that change on disk.
    fn watch(&mut self) {
        if !self.client.watches {
            return;
        }
        self.sent += 1;
        let options = json!({ "watchers": [{ "globPattern": "**/*.rord" }] });
        let one = json!({ "id": "files", "method": "workspace/didChangeWatchedFiles", "registerOptions": options });
        let params = json!({ "registrations": [one] });
        self.write(&json!({
            "jsonrpc": "2.0", "id": format!("rord-{}", self.sent), "method": "client/registerCapability", "params": params,
        }));
    }

    /// Sends the reports of one document that has changed.
    fn publish(&mut self) -> Published {
        let Some(world) = &mut self.world else { return Published::All };
        let Some(document) = world.open.values_mut().find(|d| d.dirty) else { return Published::All };
        // Marked first: a text that the checker fails on is not tried again and again.
        document.dirty = false;
        let (uri, version) = (document.uri.clone(), document.version);
        let Some(found) = world.analysis(uri.as_str()) else { return Published::One };
        let diagnostics = diagnostics::all(world, &found, self.client.related);
        let params = PublishDiagnosticsParams { uri, diagnostics, version: Some(version) };
        match self.notify("textDocument/publishDiagnostics", params) {
            true => Published::One,
            false => Published::NobodyListens,
        }
    }
}

/// What became of reports that were to be sent.
enum Published {
    /// None was left to be sent.
    All,
    /// Those of one document were.
    One,
    /// The output is closed.
    NobodyListens,
}

/// A text with one change made.
fn changed(mut text: String, change: TextDocumentContentChangeEvent, encoding: Encoding) -> String {
    let Some(range) = change.range else { return change.text };
    let lines = Lines::new(&text, encoding);
    let (start, end) = (lines.offset(&text, range.start), lines.offset(&text, range.end));
    text.replace_range(start..end.max(start), &change.text);
    text
}

/// What the server can do.
fn offer(encoding: Encoding) -> ServerCapabilities {
    let kind = match encoding {
        Encoding::Utf8 => PositionEncodingKind::UTF8,
        Encoding::Utf16 => PositionEncodingKind::UTF16,
    };
    let letters = |all: &[&str]| Some(all.iter().map(|s| (*s).to_string()).collect());
    ServerCapabilities {
        position_encoding: Some(kind),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::Supported(true)),
            ..TextDocumentSyncOptions::default()
        })),
        hover_provider: Some(true.into()),
        completion_provider: Some(CompletionOptions {
            resolve_provider: Some(true),
            trigger_characters: letters(&[".", ":", "@", "(", ",", "{", "[", "\"", "/"]),
            ..CompletionOptions::default()
        }),
        signature_help_provider: Some(SignatureHelpOptions {
            trigger_characters: letters(&["(", ","]),
            retrigger_characters: letters(&["="]),
            ..SignatureHelpOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        workspace_symbol_provider: Some(OneOf::Left(true)),
        folding_range_provider: Some(FoldingRangeProviderCapability::Simple(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![
                CodeActionKind::QUICKFIX,
                CodeActionKind::REFACTOR_EXTRACT,
                CodeActionKind::SOURCE_FIX_ALL,
            ]),
            ..CodeActionOptions::default()
        })),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        inlay_hint_provider: Some(OneOf::Left(true)),
        semantic_tokens_provider: Some(
            SemanticTokensOptions {
                legend: semantic::legend(),
                full: Some(SemanticTokensFullOptions::Bool(true)),
                ..SemanticTokensOptions::default()
            }
            .into(),
        ),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            ..WorkspaceServerCapabilities::default()
        }),
        ..ServerCapabilities::default()
    }
}

fn read<P: DeserializeOwned>(params: Value) -> Result<P, (ErrorCode, String)> {
    serde_json::from_value(params).map_err(|e| (ErrorCode::InvalidParams, e.to_string()))
}

fn given(result: impl Serialize) -> Answer {
    serde_json::to_value(result).map_err(|e| (ErrorCode::InternalError, e.to_string()))
}

fn document(world: &World, id: &TextDocumentIdentifier) -> Result<Rc<Analysis>, (ErrorCode, String)> {
    let found = world.analysis(id.uri.as_str());
    found.ok_or_else(|| (ErrorCode::InvalidParams, format!("{} is not open", id.uri.as_str())))
}

/// The document and the byte that a request is about.
fn place(world: &World, at: &TextDocumentPositionParams) -> Result<(Rc<Analysis>, u32), (ErrorCode, String)> {
    let doc = document(world, &at.text_document)?;
    let offset = doc.unit.offset(at.position);
    Ok((doc, offset))
}

/// Answers the requests that ask for something about a document.
fn feature(world: &World, client: &Client, method: &str, params: Value) -> Answer {
    let refused = |message: String| (ErrorCode::RequestFailed, message);
    match method {
        "textDocument/hover" => {
            let p: HoverParams = read(params)?;
            let (doc, offset) = place(world, &p.text_document_position_params)?;
            given(hover::hover(world, &doc, offset))
        }
        "textDocument/completion" => {
            let p: CompletionParams = read(params)?;
            let (doc, offset) = place(world, &p.text_document_position)?;
            given(CompletionList { is_incomplete: false, items: complete::complete(world, &doc, offset) })
        }
        "completionItem/resolve" => given(complete::resolve(world, read(params)?)),
        "textDocument/signatureHelp" => {
            let p: SignatureHelpParams = read(params)?;
            let (doc, offset) = place(world, &p.text_document_position_params)?;
            given(signature::help(world, &doc, offset, client.labels))
        }
        "textDocument/definition" => {
            let p: GotoDefinitionParams = read(params)?;
            let (doc, offset) = place(world, &p.text_document_position_params)?;
            given(navigate::definition(world, &doc, offset))
        }
        "textDocument/references" => {
            let p: ReferenceParams = read(params)?;
            let (doc, offset) = place(world, &p.text_document_position)?;
            given(navigate::references(world, &doc, offset, p.context.include_declaration))
        }
        "textDocument/documentHighlight" => {
            let p: DocumentHighlightParams = read(params)?;
            let (doc, offset) = place(world, &p.text_document_position_params)?;
            given(navigate::highlight(&doc, offset))
        }
        "textDocument/documentSymbol" => {
            let p: DocumentSymbolParams = read(params)?;
            given(outline::symbols(&*document(world, &p.text_document)?))
        }
        "workspace/symbol" => {
            let p: WorkspaceSymbolParams = read(params)?;
            given(outline::workspace(world, &p.query))
        }
        "textDocument/foldingRange" => {
            let p: FoldingRangeParams = read(params)?;
            given(outline::folding(&document(world, &p.text_document)?.unit))
        }
        "textDocument/formatting" => {
            let p: DocumentFormattingParams = read(params)?;
            given(format::formatting(&document(world, &p.text_document)?.unit))
        }
        "textDocument/codeAction" => {
            let p: CodeActionParams = read(params)?;
            let doc = document(world, &p.text_document)?;
            given(actions::actions(world, &doc, p.range, &p.context))
        }
        "textDocument/prepareRename" => {
            let p: TextDocumentPositionParams = read(params)?;
            let (doc, offset) = place(world, &p)?;
            given(rename::prepare(world, &doc, offset).map_err(refused)?)
        }
        "textDocument/rename" => {
            let p: RenameParams = read(params)?;
            let (doc, offset) = place(world, &p.text_document_position)?;
            given(rename::rename(world, &doc, offset, &p.new_name).map_err(refused)?)
        }
        "textDocument/inlayHint" => {
            let p: InlayHintParams = read(params)?;
            given(hints::hints(&*document(world, &p.text_document)?, p.range))
        }
        "textDocument/semanticTokens/full" => {
            let p: SemanticTokensParams = read(params)?;
            given(semantic::tokens(&document(world, &p.text_document)?.unit))
        }
        _ => Err((ErrorCode::MethodNotFound, format!("there is no method {method}"))),
    }
}
