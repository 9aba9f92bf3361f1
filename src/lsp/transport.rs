//! Messages on a stream: `Content-Length: 52`, an empty line, and 52 bytes of JSON.
//!
//! What is no message does not end the stream: it is handed on as such, and reading goes on behind it.

use std::io::{BufRead, Read, Write};

use lsp_server::{ErrorCode, Message};
use serde_json::{Value, json};

/// The longest body that is read; a pipeline has a few kilobytes.
const LONGEST: usize = 256 << 20;

/// What came in.
pub enum Incoming {
    /// A message.
    Message(Message),
    /// None: what to answer.
    Garbage(Value),
}

/// The next message. `None` where the stream has ended.
pub fn read(input: &mut impl BufRead) -> Option<Incoming> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        // A line of a header is short; a stream without line ends is no reason to fill the memory.
        if input.take(1 << 16).read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if line.is_empty() {
            match length {
                Some(length) => return body(input, length),
                None => continue,
            }
        }
        if let Some((name, value)) = line.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok().or(length);
        }
    }
}

fn body(input: &mut impl BufRead, length: usize) -> Option<Incoming> {
    if length > LONGEST {
        std::io::copy(&mut input.take(length as u64), &mut std::io::sink()).ok()?;
        return Some(garbage(Value::Null, ErrorCode::InvalidRequest, "the message is too long"));
    }
    let mut bytes = Vec::new();
    if input.take(length as u64).read_to_end(&mut bytes).ok()? < length {
        return None;
    }
    let value: Value = match serde_json::from_slice(&bytes) {
        Ok(value) => value,
        Err(e) => return Some(garbage(Value::Null, ErrorCode::ParseError, &format!("this is no JSON: {e}"))),
    };
    let id = value.get("id").cloned();
    match serde_json::from_value::<Message>(value) {
        // An id that cannot be read would make a notification of a request, and nobody would answer it.
        Ok(Message::Notification(_)) if id.as_ref().is_some_and(|id| !id.is_null()) => {
            Some(garbage(id.unwrap_or_default(), ErrorCode::InvalidRequest, "an id is a string or a number of 32 bits"))
        }
        Ok(message) => Some(Incoming::Message(message)),
        Err(_) => Some(garbage(id.unwrap_or_default(), ErrorCode::InvalidRequest, "this is no request")),
    }
}

fn garbage(id: Value, code: ErrorCode, text: &str) -> Incoming {
    Incoming::Garbage(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code as i32, "message": text } }))
}

/// Writes one message. An error means that nobody listens any more.
pub fn write(output: &mut impl Write, message: &Value) -> std::io::Result<()> {
    let text = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_passed_over() {
        let mut bytes = Vec::new();
        write(&mut bytes, &json!({ "jsonrpc": "2.0", "id": 1, "method": "a" })).unwrap();
        bytes.extend(b"nonsense\r\n\r\nContent-Length: 3\r\n\r\n{{{");
        bytes.extend(b"Content-Length: 2\r\n\r\n[]");
        bytes.extend(b"Content-Length: 29\r\n\r\n{\"id\": 4294967296,\"method\":1}");
        write(&mut bytes, &json!({ "jsonrpc": "2.0", "method": "b" })).unwrap();
        bytes.extend(b"Content-Length: 100\r\n\r\n{");
        let mut input = &bytes[..];
        let mut seen = Vec::new();
        while let Some(incoming) = read(&mut input) {
            seen.push(match incoming {
                Incoming::Message(Message::Request(r)) => r.method,
                Incoming::Message(Message::Notification(n)) => n.method,
                Incoming::Message(Message::Response(_)) => "response".into(),
                Incoming::Garbage(answer) => answer["error"]["code"].to_string(),
            });
        }
        assert_eq!(seen, ["a", "-32700", "-32600", "-32600", "b"]);
    }
}
