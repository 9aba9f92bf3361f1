//! GPUs of several processes, connected by NVIDIA's NCCL. It moves numbers; they are added up by a kernel of ours, in the order of the ranks.
//!
//! NCCL works in a stream of its own, so that backward goes on in the other. Its calls do not block: the connection is made so that what
//! is not done at once is asked for again and again, and given up where another rank is gone.

use std::ffi::{CStr, c_int, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::cuda_backend::cudarc::driver::sys::CUevent_flags;
use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaSlice, CudaStream, DevicePtr};
use candle_core::cuda_backend::cudarc::nccl::result::{get_nccl_version, get_uniqueid};
use candle_core::cuda_backend::cudarc::nccl::sys::{self, ncclDataType_t, ncclResult_t};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{DType, Device, Error, Result, Tensor};

use crate::across::{Across, Company, GoesOn, Mover, gone};
use crate::launch::{Moment, gpu, loaded, pointer, run_on};
use crate::{Arg, Source, Threads};

const SUMS: Source = Source { name: "sums", text: rord_kernels::cuda::SUMS };

/// So many looks come one after the other before the first rest.
const EAGER: u32 = 500;

/// A rest.
const REST: Duration = Duration::from_micros(20);

/// NCCL may know before MPI that another rank is gone, and not which. So long it is left to MPI to say so: somewhat longer than the silence
/// after which a rank on another machine is taken for dead.
const OTHERS: Duration = Duration::from_secs(13);

/// So long the others have to take leave.
const LEAVE: Duration = Duration::from_secs(2);

/// True where this build has NCCL.
pub fn built() -> bool {
    true
}

/// The version of the library, where it is there.
pub fn version() -> Option<String> {
    let code = get_nccl_version().ok().filter(|code| *code > 0)?;
    Some(format!("{}.{}.{}", code / 10_000, code / 100 % 100, code % 100))
}

/// Where ranks meet, as a text that one of them makes for all. That one must stay until all have met.
pub fn meeting() -> Result<String> {
    let id = get_uniqueid().map_err(|e| Error::msg(format!("NCCL finds no network: {}", words(e.0))))?;
    Ok(id.internal.iter().map(|byte| format!("{:02x}", *byte as u8)).collect())
}

/// Connects the GPU of this rank, the first number, with those of all, the second, who call this with the same meeting. Errors: NCCL's, and
/// another rank that is gone.
pub fn begin(device: &Device, (rank, size): (usize, usize), meeting: &str, company: impl Company) -> Result<Across> {
    let (own, meeting) = (device.clone(), meeting.to_string());
    Across::begin(move |goes_on| Nccl::connect(&own, (rank, size), &meeting, goes_on), company, device)
}

/// What the library says of a result.
fn words(code: ncclResult_t) -> String {
    if version().is_none() {
        return "the library is not there".into();
    }
    // SAFETY: it gives a text that lasts, for any code.
    let text = unsafe { CStr::from_ptr(sys::ncclGetErrorString(code)) };
    text.to_string_lossy().into_owned()
}

/// A rank's end of the connection.
struct Nccl {
    gpu: CudaDevice,
    stream: Arc<CudaStream>,
    /// Null once it is over.
    connection: sys::ncclComm_t,
    rank: usize,
    size: usize,
    /// When what is on its way could begin.
    begun: Option<CudaEvent>,
}

impl Nccl {
    fn connect(device: &Device, (rank, size): (usize, usize), meeting: &str, goes_on: GoesOn) -> Result<Self> {
        let gpu = gpu(device)?.clone();
        let context = gpu.cuda_stream().context().clone();
        context.bind_to_thread().w()?;
        let stream = context.new_stream().w()?;
        // Now: where code is loaded a driver may wait for all that GPUs are doing.
        loaded(&gpu, &SUMS, "added", DType::F32)?;
        let mut id = sys::ncclUniqueId { internal: [0; 128] };
        for (at, byte) in id.internal.iter_mut().enumerate() {
            let digits = meeting.get(2 * at..2 * at + 2).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).map_err(Error::wrap)? as _;
        }
        let mut config = config();
        let mut own = Self { gpu, stream, connection: std::ptr::null_mut(), rank, size, begun: None };
        // SAFETY: the places live for the call, and the id is one of the library's own.
        let code = unsafe { sys::ncclCommInitRankConfig(&mut own.connection, int(size)?, id, int(rank)?, &mut config) };
        own.done(code, "connect the GPUs", goes_on)?;
        Ok(own)
    }

    /// Waits until a call is done with that gave this code: what it asked for is in the stream then.
    fn done(&self, code: ncclResult_t, what: &str, goes_on: GoesOn) -> Result<()> {
        let (mut state, mut looks) = (code, 0);
        loop {
            match state {
                ncclResult_t::ncclSuccess => return Ok(()),
                ncclResult_t::ncclInProgress if !self.connection.is_null() => {}
                code => return self.failed(code, what, goes_on),
            }
            if !goes_on() {
                return gone();
            }
            rest(&mut looks);
            state = self.state();
        }
    }

    /// What has become of the connection.
    fn state(&self) -> ncclResult_t {
        let mut state = ncclResult_t::ncclSuccess;
        // SAFETY: the connection is there until it is null, and so is the place.
        match unsafe { sys::ncclCommGetAsyncError(self.connection, &mut state) } {
            ncclResult_t::ncclSuccess => state,
            code => code,
        }
    }

    /// The error of a call, in which another rank may have had a part.
    fn failed(&self, code: ncclResult_t, what: &str, goes_on: GoesOn) -> Result<()> {
        let since = Instant::now();
        while code == ncclResult_t::ncclRemoteError && since.elapsed() < OTHERS {
            if !goes_on() {
                return gone();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // SAFETY: it gives a text that lasts until the next error, of a connection or of none.
        let last = unsafe { sys::ncclGetLastError(self.connection) };
        // SAFETY: as above.
        let last = if last.is_null() { "".into() } else { unsafe { CStr::from_ptr(last) }.to_string_lossy() };
        let last = last.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        let more = if last.is_empty() { last } else { format!(" ({last})") };
        candle_core::bail!("NCCL does not {what}: {}{more}", words(code))
    }

    fn at(&self, room: &CudaSlice<f32>) -> u64 {
        room.device_ptr(&self.stream).0
    }
}

fn int(n: usize) -> Result<c_int> {
    c_int::try_from(n).map_err(Error::wrap)
}

/// A place so many numbers further on.
fn further(place: u64, numbers: usize) -> *mut c_void {
    (place + 4 * numbers as u64) as *mut c_void
}

/// Rests, once it has looked for long.
fn rest(looks: &mut u32) {
    *looks = looks.saturating_add(1);
    match *looks {
        ..EAGER => std::thread::yield_now(),
        _ => std::thread::sleep(REST),
    }
}

/// A connection whose calls do not block; all else is left to the library.
fn config() -> sys::ncclConfig_t {
    const UNSET: c_int = c_int::MIN;
    sys::ncclConfig_t {
        size: size_of::<sys::ncclConfig_t>(),
        // `NCCL_API_MAGIC`, and the version whose fields these are.
        magic: 0xcafe_beef,
        version: 22_800,
        blocking: 0,
        cgaClusterSize: UNSET,
        minCTAs: UNSET,
        maxCTAs: UNSET,
        netName: std::ptr::null(),
        splitShare: UNSET,
        trafficClass: UNSET,
        commName: std::ptr::null(),
        collnetEnable: UNSET,
        CTAPolicy: UNSET,
        shrinkShare: UNSET,
        nvlsCTAs: UNSET,
        nChannelsPerNetPeer: UNSET,
        nvlinkCentricSched: UNSET,
        graphUsageMode: UNSET,
        numRmaCtx: UNSET,
        maxP2pPeers: UNSET,
    }
}

impl Mover for Nccl {
    /// In the order of the stream, in which it is used and given back.
    type Room = CudaSlice<f32>;

    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn room(&mut self, count: usize) -> Result<CudaSlice<f32>> {
        // SAFETY: all of it is written before it is read: by what the ranks exchange, and by their sum.
        unsafe { self.stream.alloc::<f32>(count) }.w()
    }

    fn follow(&mut self, since: &Moment) -> Result<()> {
        since.before(&self.stream)?;
        self.begun = Some(self.stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).w()?);
        Ok(())
    }

    fn exchange(&mut self, own: &Tensor, parts: &mut CudaSlice<f32>, part: usize, goes_on: GoesOn) -> Result<()> {
        let (from, to, stream) = (pointer(own)?, self.at(parts), self.stream.cu_stream() as sys::cudaStream_t);
        let (of, ranks) = (ncclDataType_t::ncclFloat32, int(self.size)?);
        // SAFETY: both have `part` numbers for each rank, and are kept until the stream is through with them.
        let code = unsafe {
            let mut codes = vec![sys::ncclGroupStart()];
            for (rank, place) in (0..ranks).zip((0..).step_by(part)) {
                codes.push(sys::ncclSend(further(from, place), part, of, rank, self.connection, stream));
                codes.push(sys::ncclRecv(further(to, place), part, of, rank, self.connection, stream));
            }
            codes.push(sys::ncclGroupEnd());
            let waits = |code: &ncclResult_t| matches!(code, ncclResult_t::ncclSuccess | ncclResult_t::ncclInProgress);
            let last = codes.last().copied();
            codes.iter().find(|code| !waits(code)).copied().or(last).unwrap_or(ncclResult_t::ncclInternalError)
        };
        self.done(code, "exchange parts", goes_on)
    }

    fn add(&mut self, parts: &CudaSlice<f32>, sums: &mut CudaSlice<f32>, part: usize) -> Result<()> {
        let args = [Arg::At(self.at(parts)), Arg::At(self.at(sums)), Arg::Int(self.size), Arg::Long(part)];
        run_on(&self.stream, &self.gpu, &SUMS, "added", DType::F32, Threads::each(part), &args)
    }

    fn gather(&mut self, own: &CudaSlice<f32>, all: &Tensor, part: usize, goes_on: GoesOn) -> Result<()> {
        let (from, to, stream) =
            (further(self.at(own), 0), pointer(all)?, self.stream.cu_stream() as sys::cudaStream_t);
        let of = ncclDataType_t::ncclFloat32;
        // SAFETY: there are `part` numbers here and as many for each rank there, and both are kept until the stream is through with them.
        let code = unsafe { sys::ncclAllGather(from, further(to, 0), part, of, self.connection, stream) };
        self.done(code, "gather the sums", goes_on)
    }

    fn settled(&mut self, goes_on: GoesOn) -> Result<Duration> {
        let over = self.stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).w()?;
        let mut looks = 0;
        while !over.try_is_complete().w()? {
            if !goes_on() {
                return gone();
            }
            self.done(self.state(), "move the numbers", goes_on)?;
            rest(&mut looks);
        }
        let took = self.begun.take().map(|begun| begun.elapsed_ms(&over).w()).transpose()?;
        Ok(Duration::from_secs_f32(took.unwrap_or_default().max(0.0) / 1e3))
    }

    fn abandon(&mut self) {
        let connection = std::mem::replace(&mut self.connection, std::ptr::null_mut());
        if !connection.is_null() {
            // SAFETY: it was there, and is not used any more.
            let _ = unsafe { sys::ncclCommAbort(connection) };
        }
    }

    fn leave(&mut self) {
        let since = Instant::now();
        // SAFETY: the connection is there; nothing is on its way.
        let code = unsafe { sys::ncclCommFinalize(self.connection) };
        // Where one of the others does not take leave it is given up.
        if self.done(code, "take leave", &|| since.elapsed() < LEAVE).is_err() {
            return self.abandon();
        }
        let connection = std::mem::replace(&mut self.connection, std::ptr::null_mut());
        // SAFETY: as for `abandon`.
        let _ = unsafe { sys::ncclCommDestroy(connection) };
    }
}

impl Drop for Nccl {
    fn drop(&mut self) {
        self.abandon();
    }
}
