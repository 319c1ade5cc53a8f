//! Sockets that listen, with what the configuration says of them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use crate::config::SocketOptions;

/// Listens at an address; port 0 is any. The socket doesn't block.
///
/// # Errors
/// What the system says; with the key where it doesn't have a congestion control, or doesn't let
/// this process use it.
pub(crate) fn listen(address: SocketAddr, options: &SocketOptions) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    // A broker that starts again finds its port as it left it.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Before it listens: connections take their windows from the buffers that they begin with.
    if let Some(bytes) = options.send_buffer_bytes {
        sockopt::set_socket_send_buffer_size(&socket, bytes)?;
    }
    if let Some(bytes) = options.receive_buffer_bytes {
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    if let Some(name) = &options.congestion_control {
        sockopt::set_tcp_congestion(&socket, name).map_err(|error| {
            let what = format!("listener.congestion.control.map: {name}: {error}");
            io::Error::new(io::Error::from(error).kind(), what)
        })?;
    }
    net::bind(&socket, &address)?;
    net::listen(&socket, options.backlog)?;
    Ok(TcpListener::from(socket))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    const ANY: &str = "127.0.0.1:0";

    fn accepted(options: &SocketOptions) -> TcpStream {
        let listener = listen(ANY.parse().unwrap(), options).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        listener.accept().unwrap().0
    }

    #[test]
    fn what_is_accepted_has_the_options_of_its_listener() {
        let buffers = SocketOptions {
            send_buffer_bytes: Some(20_000),
            receive_buffer_bytes: Some(30_000),
            congestion_control: Some("reno".to_owned()),
            ..SocketOptions::default()
        };
        let stream = accepted(&buffers);
        // The system doubles what it is asked for.
        assert_eq!(sockopt::socket_send_buffer_size(&stream).unwrap(), 40_000);
        assert_eq!(sockopt::socket_recv_buffer_size(&stream).unwrap(), 60_000);
        assert_eq!(sockopt::tcp_congestion(&stream).unwrap(), "reno");
    }

    #[test]
    fn without_options_the_system_decides() {
        let stream = accepted(&SocketOptions::default());
        let plain = TcpListener::bind(ANY).unwrap();
        let system = sockopt::tcp_congestion(&plain).unwrap();
        assert_eq!(sockopt::tcp_congestion(&stream).unwrap(), system);
    }

    #[test]
    fn a_congestion_control_that_is_not_there_is_an_error() {
        let unknown = SocketOptions {
            congestion_control: Some("none-such".into()),
            ..SocketOptions::default()
        };
        let error = listen(ANY.parse().unwrap(), &unknown).unwrap_err();
        assert!(error.to_string().starts_with("listener.congestion.control.map: none-such: "));
    }
}
