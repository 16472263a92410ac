//! Packets of a feed to its viewers: rewritten, encrypted and sent.

use std::sync::Arc;
use std::thread;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyList, PyTuple};

use crate::batch::{Batch, Unsent};
use crate::outlet::Target;
use crate::sender::{Refusal, Sender};
use crate::stream::StreamState;

/// Packets that are worth another thread: to start one takes as long as some of them.
const THREAD_WORK: usize = 1000;
/// Sequence numbers after which no packet is kept: `rtp.history.MAX_GOP`.
const MAX_GOP: u16 = 16_384;

const HEADER: usize = 12;

/// `whipbird.rtp.forward_template.ForwardedPacket`.
struct Packet {
    first: u8,
    marker: u8,
    sequence: u16,
    timestamp: u32,
    body: PyBackedBytes,
}

impl Packet {
    fn extract(packet: &Bound<'_, PyTuple>) -> PyResult<Self> {
        Ok(Self {
            first: packet.get_item(0)?.extract()?,
            marker: packet.get_item(1)?.extract()?,
            sequence: packet.get_item(2)?.extract()?,
            timestamp: packet.get_item(3)?.extract()?,
            body: packet.get_item(4)?.extract()?,
        })
    }
}

/// What is to be done for one viewer.
struct Job {
    ssrc: u32,
    payload_type: u8,
    sequence_offset: u16,
    timestamp_offset: u32,
    target: Arc<Target>,
}

/// Send packets to viewers.
///
/// Args:
///     packets: `ForwardedPacket`s, one at least.
///     streams: the `StreamState` of each viewer; None for one that Python sends to.
///     now: the time, in seconds.
///     threads: how many may be used.
///
/// Returns:
///     The indexes of those to which nothing was sent: Python is to do it.
#[pyfunction]
pub fn fan_out(
    py: Python<'_>,
    packets: &Bound<'_, PyList>,
    streams: &Bound<'_, PyList>,
    now: f64,
    threads: usize,
) -> PyResult<Vec<usize>> {
    let Some(last) = packets.iter().next_back() else {
        return Ok(Vec::new());
    };
    let packets: Vec<Packet> = packets
        .iter()
        .map(|packet| Packet::extract(packet.cast::<PyTuple>()?))
        .collect::<PyResult<_>>()?;
    let octets = packets.iter().map(|packet| packet.body.len() as u64).sum();
    let (mut jobs, mut others) = (Vec::with_capacity(streams.len()), Vec::new());
    for (index, stream) in streams.iter().enumerate() {
        let job = if stream.is_none() {
            None
        } else {
            let mut stream = stream.cast::<StreamState>()?.borrow_mut();
            begin(py, &mut stream, &packets, octets, &last, now)
        };
        match job {
            Some(job) => jobs.push(job),
            None => others.push(index),
        }
    }
    for unsent in py.detach(|| send_all(&packets, &jobs, threads)) {
        jobs[unsent.owner].target.hand_back(py, unsent)?;
    }
    Ok(others)
}

/// Notes in a stream's state that packets are sent, as `Rewriter.write` does.
///
/// Returns None when they cannot be sent here; nothing is noted then.
fn begin(
    py: Python<'_>,
    stream: &mut StreamState,
    packets: &[Packet],
    octets: u64,
    last: &Bound<'_, PyAny>,
    now: f64,
) -> Option<Job> {
    let target = stream.outlet.as_ref()?.bind(py).get().target()?;
    let newest = packets.last()?;
    let sequence = newest.sequence.wrapping_add(stream.sequence_offset);
    stream.since += u64::from(sequence.wrapping_sub(stream.last_sequence));
    if let Some((live, _)) = stream.live {
        let age = newest.sequence.wrapping_sub(live);
        if age > MAX_GOP && age < 0x8000 {
            stream.live = None;
        }
    }
    stream.last_sequence = sequence;
    stream.last_timestamp = newest.timestamp.wrapping_add(stream.timestamp_offset);
    stream.last_at = Some(now);
    stream.last = Some(last.clone().unbind());
    stream.packets += packets.len() as u64;
    stream.octets += octets;
    Some(Job {
        ssrc: stream.ssrc,
        payload_type: stream.payload_type,
        sequence_offset: stream.sequence_offset,
        timestamp_offset: stream.timestamp_offset,
        target,
    })
}

fn send_all(packets: &[Packet], jobs: &[Job], threads: usize) -> Vec<Unsent> {
    let most = packets.len() * jobs.len() / THREAD_WORK;
    let count = threads.min(most).max(1);
    if count == 1 {
        return send_some(packets, jobs, 0);
    }
    let size = jobs.len().div_ceil(count);
    thread::scope(|scope| {
        let (own, rest) = jobs.split_at(size);
        let others: Vec<_> = rest
            .chunks(size)
            .enumerate()
            .map(|(number, some)| {
                scope.spawn(move || send_some(packets, some, (number + 1) * size))
            })
            .collect();
        let mut unsent = send_some(packets, own, 0);
        for other in others {
            match other.join() {
                Ok(found) => unsent.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        unsent
    })
}

/// Sends packets for some of the viewers, whose first one is number `first` of all.
fn send_some(packets: &[Packet], jobs: &[Job], first: usize) -> Vec<Unsent> {
    Batch::send(|batch| {
        for (number, job) in jobs.iter().enumerate() {
            batch.add(
                &job.target,
                first + number,
                packets,
                |buffer, packet, sender| write(buffer, packet, job, sender),
            );
        }
    })
}

/// Writes a packet of a viewer's stream at the end of a buffer, encrypted.
///
/// An error says that it may not be sent.
fn write(
    buffer: &mut Vec<u8>,
    packet: &Packet,
    job: &Job,
    sender: &mut Sender,
) -> Result<(), Refusal> {
    let start = buffer.len();
    let mut header = [0; HEADER];
    header[0] = packet.first;
    header[1] = packet.marker | job.payload_type;
    let sequence = packet.sequence.wrapping_add(job.sequence_offset);
    header[2..4].copy_from_slice(&sequence.to_be_bytes());
    let timestamp = packet.timestamp.wrapping_add(job.timestamp_offset);
    header[4..8].copy_from_slice(&timestamp.to_be_bytes());
    header[8..].copy_from_slice(&job.ssrc.to_be_bytes());
    buffer.extend_from_slice(&header);
    buffer.extend_from_slice(&packet.body);
    sender.protect_rtp(buffer, start)
}
