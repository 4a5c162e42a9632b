//! Tries to reach the network without going through the host's HTTP.

use std::io::{Error, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

use behalf_guests::{Outcome, Tool, Value, json, text};

const TOOLS: &[Tool] = &[
    ("connect", "{address}: opens a TCP connection and writes to it", connect),
    ("listen", "{address}: listens for TCP connections", listen),
    ("send", "{address}: sends a UDP packet", send),
    ("resolve", "{name}: asks for the addresses of a host", resolve),
];

behalf_guests::export_guest!(TOOLS);

fn outcome<T: Into<Value>>(result: Result<T, Error>) -> Outcome {
    Ok(match result {
        Ok(value) => json!({"ok": value.into()}),
        Err(error) => json!({"error": error.to_string()}),
    })
}

fn connect(arguments: &Value) -> Outcome {
    outcome(TcpStream::connect(text(arguments, "address")).and_then(|mut stream| stream.write(b"hello")))
}

fn listen(arguments: &Value) -> Outcome {
    outcome(TcpListener::bind(text(arguments, "address")).and_then(|listener| Ok(listener.local_addr()?.to_string())))
}

fn send(arguments: &Value) -> Outcome {
    outcome(UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"hello", text(arguments, "address"))))
}

fn resolve(arguments: &Value) -> Outcome {
    let addresses = (text(arguments, "name"), 80).to_socket_addrs();
    outcome(addresses.map(|addresses| addresses.map(|address| address.to_string()).collect::<Vec<_>>()))
}
