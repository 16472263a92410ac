//! The compiled packet path of Whipbird: what is done for each packet of each viewer.
//!
//! Python decides; this does what it has decided, many times, without the GIL.

mod batch;
mod fan_out;
mod keys;
mod outlet;
mod reports;
mod sender;
mod socket;
mod stream;

use pyo3::prelude::*;

/// Changes with what Python expects: `whipbird.native.INTERFACE`.
const INTERFACE: u32 = 2;

#[pymodule]
fn whipbird_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("INTERFACE", INTERFACE)?;
    module.add_class::<outlet::Outlet>()?;
    module.add_class::<outlet::Socket>()?;
    module.add_class::<outlet::SrtpSender>()?;
    module.add_class::<stream::StreamState>()?;
    module.add_function(wrap_pyfunction!(fan_out::fan_out, module)?)?;
    module.add_function(wrap_pyfunction!(reports::send_reports, module)?)?;
    Ok(())
}
