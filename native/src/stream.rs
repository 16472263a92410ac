//! The state of a viewer's RTP stream, which Python and the fan-out both use.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::outlet::Outlet;

/// The attributes of `whipbird.rtp.rewriter.Rewriter`, which describes them.
///
/// `outlet` is where the fan-out sends the packets of the stream.
#[pyclass(subclass, module = "whipbird_native")]
#[derive(Default)]
pub struct StreamState {
    #[pyo3(get, set)]
    pub ssrc: u32,
    #[pyo3(get, set)]
    pub payload_type: u8,
    #[pyo3(get, set)]
    pub clock_rate: u32,
    #[pyo3(get, set)]
    pub packets: u64,
    #[pyo3(get, set)]
    pub octets: u64,
    #[pyo3(get, set)]
    pub last: Option<Py<PyAny>>,
    #[pyo3(get, set)]
    pub outlet: Option<Py<Outlet>>,
    #[pyo3(get, set, name = "_last_sequence")]
    pub last_sequence: u16,
    #[pyo3(get, set, name = "_last_timestamp")]
    pub last_timestamp: u32,
    #[pyo3(get, set, name = "_last_at")]
    pub last_at: Option<f64>,
    #[pyo3(get, set, name = "_live")]
    pub live: Option<(u16, u32)>,
    #[pyo3(get, set, name = "_sequence_offset")]
    pub sequence_offset: u16,
    #[pyo3(get, set, name = "_timestamp_offset")]
    pub timestamp_offset: u32,
    #[pyo3(get, set, name = "_since")]
    pub since: u64,
}

#[pymethods]
impl StreamState {
    /// The arguments are those of the subclass.
    #[new]
    #[pyo3(signature = (*_arguments, **_options))]
    fn new(_arguments: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }
}
