//! Files by descriptor and by path: open(2) and its family.

use super::{Fd, checked, checked_len, last_fault};
use dovetail_engine::seam::poller::Fault;
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Who may do what with a new file, before the process's mask.
const FILE_MODE: libc::c_uint = 0o644;
/// The same for a new folder.
const FOLDER_MODE: libc::mode_t = 0o755;

/// What a file is opened for. Writing is always at the end, wherever that is by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be read.
    Read,
    /// To be read and written; it is there.
    Append,
    /// The same; made, or emptied if it is there.
    Create,
    /// The same; made, and an error if it is there.
    CreateNew,
    /// To be synced; it is a folder.
    Folder,
    /// To be kept, whatever it is and whoever removes its name: nothing can be done with it.
    Keep,
}

fn c_path(op: &'static str, path: &Path) -> Result<CString, Fault> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Fault {
        op,
        errno: libc::EINVAL,
    })
}

/// Opens the file at `path`, and waits for nobody: not for the other end of a pipe, either.
///
/// # Errors
/// See open(2).
pub fn open(path: &Path, purpose: Purpose) -> Result<Fd, Fault> {
    let path = c_path("open", path)?;
    let writing = libc::O_RDWR | libc::O_APPEND;
    let flags = match purpose {
        Purpose::Read => libc::O_RDONLY,
        Purpose::Append => writing,
        Purpose::Create => writing | libc::O_CREAT | libc::O_TRUNC,
        Purpose::CreateNew => writing | libc::O_CREAT | libc::O_EXCL,
        Purpose::Folder => libc::O_RDONLY | libc::O_DIRECTORY,
        Purpose::Keep => libc::O_PATH | libc::O_NOFOLLOW,
    };
    let flags = flags | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: the pointer is to a terminated string that outlives the call.
    let fd = checked("open", unsafe {
        libc::open(path.as_ptr(), flags, FILE_MODE)
    })?;
    // SAFETY: the descriptor has just been made and nobody else owns it.
    Ok(unsafe { Fd::from_raw_fd(fd) })
}

/// Writes at the end what the system takes of `bytes`.
///
/// # Errors
/// See write(2).
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Fault> {
    let (at, len) = (bytes.as_ptr().cast(), bytes.len());
    // SAFETY: pointer and length describe `bytes`, which outlives the call.
    checked_len("write", unsafe { libc::write(fd.as_raw_fd(), at, len) })
}

/// Reads what there is next, from a pipe.
///
/// # Errors
/// See read(2).
pub fn read(fd: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Fault> {
    let (at, len) = (into.as_mut_ptr().cast(), into.len());
    // SAFETY: pointer and length describe `into`, which outlives the call.
    checked_len("read", unsafe { libc::read(fd.as_raw_fd(), at, len) })
}

/// Reads from offset `from` what the system gives at once; 0 is the end.
///
/// # Errors
/// See pread(2).
pub fn read_at(fd: BorrowedFd<'_>, from: u64, into: &mut [u8]) -> Result<usize, Fault> {
    let from = offset("pread", from)?;
    let (at, len) = (into.as_mut_ptr().cast(), into.len());
    // SAFETY: pointer and length describe `into`, which outlives the call.
    checked_len("pread", unsafe {
        libc::pread(fd.as_raw_fd(), at, len, from)
    })
}

fn offset(op: &'static str, at: u64) -> Result<libc::off_t, Fault> {
    libc::off_t::try_from(at).map_err(|_| Fault {
        op,
        errno: libc::EINVAL,
    })
}

fn facts(fd: BorrowedFd<'_>) -> Result<libc::stat, Fault> {
    // SAFETY: all-zero bytes are a valid value of this plain structure.
    let mut facts: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a writable structure that outlives the call.
    let done = unsafe { libc::fstat(fd.as_raw_fd(), &raw mut facts) };
    checked("fstat", done)?;
    Ok(facts)
}

/// Its length in bytes.
///
/// # Errors
/// See fstat(2).
pub fn length(fd: BorrowedFd<'_>) -> Result<u64, Fault> {
    Ok(u64::try_from(facts(fd)?.st_size).unwrap_or(0))
}

/// Refuses what is no regular file: a folder, a pipe, a device.
///
/// # Errors
/// That it is none, or as in fstat(2).
pub fn expect_regular(fd: BorrowedFd<'_>) -> Result<(), Fault> {
    match facts(fd)?.st_mode & libc::S_IFMT {
        libc::S_IFREG => Ok(()),
        libc::S_IFDIR => Err(Fault {
            op: "open",
            errno: libc::EISDIR,
        }),
        _ => Err(Fault {
            op: "not a regular file",
            errno: libc::EINVAL,
        }),
    }
}

/// Cuts it to `len` bytes.
///
/// # Errors
/// See ftruncate(2).
pub fn truncate(fd: BorrowedFd<'_>, len: u64) -> Result<(), Fault> {
    let len = offset("ftruncate", len)?;
    // SAFETY: takes no pointers.
    checked("ftruncate", unsafe { libc::ftruncate(fd.as_raw_fd(), len) }).map(drop)
}

/// Waits until its bytes, and what is needed to read them, are on the disk.
///
/// # Errors
/// See fdatasync(2); what was not written may be lost.
pub fn sync_data(fd: BorrowedFd<'_>) -> Result<(), Fault> {
    // SAFETY: takes no pointers.
    checked("fdatasync", unsafe { libc::fdatasync(fd.as_raw_fd()) }).map(drop)
}

/// Waits until everything about it is on the disk.
///
/// # Errors
/// See fsync(2); what was not written may be lost.
pub fn sync_all(fd: BorrowedFd<'_>) -> Result<(), Fault> {
    // SAFETY: takes no pointers.
    checked("fsync", unsafe { libc::fsync(fd.as_raw_fd()) }).map(drop)
}

/// Tells the system that it will be read from start to end; a hint that may come to nothing.
pub fn expect_sequential(fd: BorrowedFd<'_>) {
    // SAFETY: takes no pointers.
    unsafe { libc::posix_fadvise(fd.as_raw_fd(), 0, 0, libc::POSIX_FADV_SEQUENTIAL) };
}

/// Gives `from` the name `to`, in place of what has it.
///
/// # Errors
/// See rename(2).
pub fn rename(from: &Path, to: &Path) -> Result<(), Fault> {
    let (from, to) = (c_path("rename", from)?, c_path("rename", to)?);
    // SAFETY: the pointers are to terminated strings that outlive the call.
    checked("rename", unsafe {
        libc::rename(from.as_ptr(), to.as_ptr())
    })
    .map(drop)
}

/// Removes a file's name.
///
/// # Errors
/// See unlink(2).
pub fn unlink(path: &Path) -> Result<(), Fault> {
    let path = c_path("unlink", path)?;
    // SAFETY: the pointer is to a terminated string that outlives the call.
    checked("unlink", unsafe { libc::unlink(path.as_ptr()) }).map(drop)
}

/// Makes a folder.
///
/// # Errors
/// See mkdir(2).
pub fn make_folder(path: &Path) -> Result<(), Fault> {
    let path = c_path("mkdir", path)?;
    // SAFETY: the pointer is to a terminated string that outlives the call.
    let done = unsafe { libc::mkdir(path.as_ptr(), FOLDER_MODE) };
    if done < 0 {
        return Err(last_fault("mkdir"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn what_is_written_is_read_and_faults_name_their_call() {
        let folder = std::env::temp_dir().join(format!("dovetail-file-{}", std::process::id()));
        make_folder(&folder).unwrap();
        assert_eq!(make_folder(&folder).unwrap_err().errno, libc::EEXIST);
        let (first, second) = (folder.join("a"), folder.join("b"));
        let fd = open(&first, Purpose::CreateNew).unwrap();
        assert_eq!(write(fd.as_fd(), b"hello").unwrap(), 5);
        truncate(fd.as_fd(), 2).unwrap();
        assert_eq!(write(fd.as_fd(), b"y").unwrap(), 1);
        assert_eq!(length(fd.as_fd()).unwrap(), 3);
        sync_data(fd.as_fd()).unwrap();
        sync_all(fd.as_fd()).unwrap();
        rename(&first, &second).unwrap();
        let fd = open(&second, Purpose::Read).unwrap();
        expect_sequential(fd.as_fd());
        let mut into = [0; 8];
        assert_eq!(read_at(fd.as_fd(), 1, &mut into).unwrap(), 2);
        assert_eq!(&into[..2], b"ey");
        assert_eq!(read_at(fd.as_fd(), 3, &mut into).unwrap(), 0);
        sync_all(open(&folder, Purpose::Folder).unwrap().as_fd()).unwrap();
        unlink(&second).unwrap();
        let fault = unlink(&second).unwrap_err();
        assert_eq!((fault.op, fault.errno), ("unlink", libc::ENOENT));
        let nul = Path::new("a\0b");
        assert_eq!(open(nul, Purpose::Read).unwrap_err().errno, libc::EINVAL);
        std::fs::remove_dir(&folder).unwrap();
    }
}
