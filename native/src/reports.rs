//! Sender reports to many viewers: written, encrypted and sent.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyList, PyTuple};

use crate::batch::Batch;
use crate::outlet::Target;
use crate::stream::StreamState;

/// RFC 3550 section 6.4.1, without report blocks: version 2, SR, six words and one.
const HEADER: [u8; 4] = [0x80, 200, 0, 6];

struct Report {
    target: Arc<Target>,
    ssrc: u32,
    rtp_timestamp: u32,
    packets: u32,
    octets: u32,
    /// The RTCP packets that follow it.
    tail: PyBackedBytes,
}

impl Report {
    /// None for a stream that cannot be sent to here.
    fn extract(report: &Bound<'_, PyTuple>) -> PyResult<Option<Self>> {
        let stream = report.get_item(0)?;
        let Ok(stream) = stream.cast::<StreamState>() else {
            return Ok(None);
        };
        let stream = stream.borrow();
        let outlet = stream.outlet.as_ref();
        let Some(target) = outlet.and_then(|outlet| outlet.get().target()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            target,
            ssrc: stream.ssrc,
            rtp_timestamp: report.get_item(1)?.extract()?,
            packets: stream.packets as u32,
            octets: stream.octets as u32,
            tail: report.get_item(2)?.extract()?,
        }))
    }

    fn write(&self, buffer: &mut Vec<u8>, ntp_timestamp: u64) {
        buffer.extend_from_slice(&HEADER);
        buffer.extend_from_slice(&self.ssrc.to_be_bytes());
        buffer.extend_from_slice(&ntp_timestamp.to_be_bytes());
        buffer.extend_from_slice(&self.rtp_timestamp.to_be_bytes());
        buffer.extend_from_slice(&self.packets.to_be_bytes());
        buffer.extend_from_slice(&self.octets.to_be_bytes());
        buffer.extend_from_slice(&self.tail);
    }
}

/// Send sender reports to viewers.
///
/// Args:
///     reports: `DueReport`s; those of one viewer are together.
///     ntp_timestamp: the time, as all of them say it.
///
/// Returns:
///     The indexes of those that were not sent: Python is to do it.
#[pyfunction]
pub fn send_reports(
    py: Python<'_>,
    reports: &Bound<'_, PyList>,
    ntp_timestamp: u64,
) -> PyResult<Vec<usize>> {
    let (mut ours, mut others) = (Vec::with_capacity(reports.len()), Vec::new());
    for (index, report) in reports.iter().enumerate() {
        match Report::extract(report.cast::<PyTuple>()?)? {
            Some(report) => ours.push(report),
            None => others.push(index),
        }
    }
    // Each viewer's reports.
    let viewers: Vec<&[Report]> = ours
        .chunk_by(|one, next| Arc::ptr_eq(&one.target, &next.target))
        .collect();
    let unsent = py.detach(|| {
        Batch::send(|batch| {
            for (owner, reports) in viewers.iter().enumerate() {
                batch.add(
                    &reports[0].target,
                    owner,
                    reports,
                    |buffer, report, sender| {
                        let start = buffer.len();
                        report.write(buffer, ntp_timestamp);
                        sender.protect_rtcp(buffer, start)
                    },
                );
            }
        })
    });
    for unsent in unsent {
        viewers[unsent.owner][0].target.hand_back(py, unsent)?;
    }
    Ok(others)
}
