//! The admin listener: metrics and health by HTTP/1.1, for machines.
//!
//! | path | says |
//! | --- | --- |
//! | `/metrics` | every metric, as Prometheus reads it |
//! | `/healthz` | 200 while the process runs |
//! | `/readyz` | 200 while requests are served, 503 with the reason otherwise |
//! | `/balance/snapshot` | what balancing is decided by, as the broker that decides sees it |
//! | `/balance/status` | what is moved, and why |
//! | `/recovery/TOPIC/PARTITION` | who is left of a partition, and what may be lost |
//!
//! POST to the last has those who are left go on without the others; 409 where nothing is to be
//! recovered.
//!
//! It has a thread of its own: whoever asks learns of shards that don't answer. It is served before
//! the broker is one of its cluster: whoever has lost the controllers for good gives them up here.
//! `/metrics` lacks what the cluster would tell then.
//!
//! Must always hold: a client costs [`CONNECTIONS_MAX`]'s part of [`TIME_MAX`], whatever it sends.

mod scrape;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::balancing::{self, Question};
use crate::cluster::Survey;
use crate::groundwork::Groundwork;

/// Connections at a time; more of them wait in the socket.
const CONNECTIONS_MAX: usize = 16;
/// How long the head of a request may take.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a connection may take in all.
const TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request's head, at most.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long accepting rests after an error.
const REST: Duration = Duration::from_millis(100);

/// Serves until the broker stops.
///
/// # Errors
/// What the system says of the thread.
pub(crate) fn start(ground: Arc<Groundwork>, socket: TcpListener) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        let served = runtime.block_on(serve(ground, socket));
        if let Err(error) = served {
            tracing::error!(%error, "the admin listener is not served");
        }
    })
}

async fn serve(ground: Arc<Groundwork>, socket: TcpListener) -> io::Result<()> {
    let socket = tokio::net::TcpListener::from_std(socket)?;
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut stopping = ground.stopping.clone();
    loop {
        let accept = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (socket.accept().await, permit)
        };
        tokio::select! {
            (accepted, permit) = accept => match accepted {
                Ok((stream, _)) => {
                    let ground = Arc::clone(&ground);
                    connections.spawn(async move {
                        // Who is too slow, or goes away, needs no answer.
                        drop(timeout(TIME_MAX, answer(ground, stream)).await);
                        drop(permit);
                    });
                }
                Err(_) => tokio::time::sleep(REST).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            // The rest is dropped, and with it closed.
            _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
        }
    }
}

async fn answer(ground: Arc<Groundwork>, stream: TcpStream) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let ground = Arc::clone(&ground);
        async move { Ok::<_, Infallible>(respond(&ground, request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn respond(ground: &Groundwork, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let (method, path) = (&head.method, head.uri.path());
    if let Some(partition) = path.strip_prefix("/recovery/") {
        return recovery(ground, method, partition, body).await;
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
        response.headers_mut().insert(ALLOW, "GET, HEAD".parse().expect("is a header"));
        return response;
    }
    match path {
        "/metrics" => plain(StatusCode::OK, scrape::metrics(ground).await),
        "/healthz" => plain(StatusCode::OK, "runs\n"),
        "/readyz" => match ground.unready() {
            None => plain(StatusCode::OK, "ready\n"),
            Some(why) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        "/balance/snapshot" => balance(ground, Question::Snapshot).await,
        "/balance/status" => balance(ground, Question::Status).await,
        _ => plain(
            StatusCode::NOT_FOUND,
            "there is /metrics, /healthz, /readyz, /balance, /recovery\n",
        ),
    }
}

/// What an operator sees, and does, of a partition that has lost a majority. What is done is what
/// was seen: whoever has it done sends that along, which nobody else knows.
async fn recovery(
    ground: &Groundwork,
    method: &Method,
    partition: &str,
    body: Incoming,
) -> Response<Full<Bytes>> {
    let named = partition.rsplit_once('/').and_then(|(topic, it)| Some((topic, it.parse().ok()?)));
    let Some((topic, partition)) = named else {
        return plain(StatusCode::NOT_FOUND, "/recovery/TOPIC/PARTITION\n");
    };
    let survey = match Survey::new(ground, topic, partition).await {
        Ok(survey) => survey,
        Err(why) => return plain(StatusCode::NOT_FOUND, format!("{topic}-{partition}: {why}\n")),
    };
    let report = survey.report();
    if let Some(why) = survey.objection() {
        return plain(StatusCode::CONFLICT, format!("{report}nothing to recover: {why}\n"));
    }
    match *method {
        Method::GET | Method::HEAD => plain(StatusCode::OK, report),
        Method::POST => {
            let seen = Limited::new(body, report.len()).collect().await;
            if !seen.is_ok_and(|seen| seen.to_bytes() == report.as_bytes()) {
                let why = "not recovered: send the report of a GET; it is now\n";
                return plain(StatusCode::PRECONDITION_FAILED, format!("{why}{report}"));
            }
            match survey.recover(ground).await {
                Ok(()) => plain(StatusCode::OK, "recovered\n"),
                Err(why) => plain(StatusCode::CONFLICT, format!("not recovered: {why}\n")),
            }
        }
        _ => plain(StatusCode::METHOD_NOT_ALLOWED, "GET or POST\n"),
    }
}

/// What an operator sees of balancing.
async fn balance(ground: &Groundwork, question: Question) -> Response<Full<Bytes>> {
    let Some(node) = ground.node.get() else {
        let why = ground.unready().unwrap_or_default();
        return plain(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"));
    };
    match balancing::ask(node, question).await {
        Ok(text) => plain(StatusCode::OK, text),
        Err(why) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let text = "text/plain; version=0.0.4; charset=utf-8".parse().expect("is a header");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}
