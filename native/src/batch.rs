//! Datagrams to many viewers, encrypted and sent with few system calls.

use std::cell::RefCell;
use std::io;
use std::mem::take;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use crate::outlet::{lock, Target};
use crate::sender::{Refusal, Sender};
use crate::socket::{Message, Socket, MAX_MESSAGE, MAX_SEGMENTS};

/// Octets of packets that are encrypted before they are sent: they stay in the cache.
const BUFFER: usize = 256 * 1024;
/// Messages of one system call.
const MESSAGES: usize = 128;

/// Datagrams that the kernel did not take.
pub struct Unsent {
    /// Whose they are: the caller's number.
    pub owner: usize,
    pub datagrams: Vec<Vec<u8>>,
    pub error: i32,
}

thread_local! {
    static BATCH: RefCell<Batch> = RefCell::new(Batch::new());
}

/// Datagrams that are sent together, from one socket.
pub struct Batch {
    buffer: Vec<u8>,
    messages: Vec<Message>,
    socket: Option<Arc<Socket>>,
    unsent: Vec<Unsent>,
}

impl Batch {
    fn new() -> Self {
        Self {
            buffer: Vec::with_capacity(BUFFER),
            messages: Vec::with_capacity(MESSAGES),
            socket: None,
            unsent: Vec::new(),
        }
    }

    /// Sends what `fill` adds; returns what the kernel did not take.
    pub fn send(fill: impl FnOnce(&mut Batch)) -> Vec<Unsent> {
        BATCH.with_borrow_mut(|batch| {
            fill(batch);
            batch.flush();
            batch.socket = None;
            take(&mut batch.unsent)
        })
    }

    /// Adds datagrams for one viewer.
    ///
    /// `write` writes one at the end of a buffer, encrypted; one that it refuses is left
    /// out.
    pub fn add<T>(
        &mut self,
        target: &Target,
        owner: usize,
        items: &[T],
        write: impl Fn(&mut Vec<u8>, &T, &mut Sender) -> Result<(), Refusal>,
    ) {
        let is_other = match &self.socket {
            Some(socket) => !Arc::ptr_eq(socket, &target.socket),
            None => true,
        };
        if is_other || self.is_full(items.len()) {
            self.flush();
            self.socket = Some(target.socket.clone());
        }
        let segments = target.socket.segments.load(Ordering::Relaxed);
        let mut sender = lock(&target.sender);
        let (first, begin) = (self.messages.len(), self.buffer.len());
        let mut sent = 0;
        for item in items {
            let start = self.buffer.len();
            if write(&mut self.buffer, item, &mut sender).is_err() {
                self.buffer.truncate(start);
                continue;
            }
            sent += 1;
            let end = self.buffer.len();
            let last = self.messages[first..].last_mut();
            if !(segments && last.is_some_and(|last| extend(last, end))) {
                self.messages.push(Message {
                    start,
                    end,
                    segment: 0,
                    address: target.address,
                    owner,
                });
            }
        }
        let counts = &target.counts;
        counts.packets.fetch_add(sent, Ordering::Relaxed);
        let octets = (self.buffer.len() - begin) as u64;
        counts.octets.fetch_add(octets, Ordering::Relaxed);
    }

    /// Whether so many datagrams more are too many.
    fn is_full(&self, count: usize) -> bool {
        self.messages.len() + count > MESSAGES || self.buffer.len() > BUFFER / 2
    }

    /// Sends all of it; what the kernel does not take is added to `unsent`.
    fn flush(&mut self) {
        let Some(socket) = &self.socket else {
            return;
        };
        let mut rest = &self.messages[..];
        while let Some(next) = rest.first() {
            match socket.send(&self.buffer, rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // What comes later must not overtake what waits.
                    socket.is_blocked.store(true, Ordering::Relaxed);
                    let error = error.raw_os_error().unwrap_or(0);
                    let all = rest.iter().map(|one| unsent(&self.buffer, one, error));
                    self.unsent.extend(all);
                    break;
                }
                Err(error) => {
                    let error = error.raw_os_error().unwrap_or(0);
                    self.unsent.push(unsent(&self.buffer, next, error));
                    rest = &rest[1..];
                }
            }
        }
        self.messages.clear();
        self.buffer.clear();
    }
}

fn unsent(buffer: &[u8], message: &Message, error: i32) -> Unsent {
    let octets = &buffer[message.start..message.end];
    let size = if message.segment == 0 {
        octets.len()
    } else {
        message.segment
    };
    Unsent {
        owner: message.owner,
        datagrams: octets.chunks(size).map(<[u8]>::to_vec).collect(),
        error,
    }
}

/// Lets a message end later, with another datagram, if the kernel can cut it.
///
/// All datagrams have one size; the last one may be shorter.
fn extend(message: &mut Message, end: usize) -> bool {
    let (length, more) = (message.end - message.start, end - message.end);
    let size = if message.segment == 0 {
        length
    } else {
        message.segment
    };
    let can = more <= size
        && length % size == 0
        && length / size < MAX_SEGMENTS
        && length + more <= MAX_MESSAGE;
    if can {
        message.segment = size;
        message.end = end;
    }
    can
}
