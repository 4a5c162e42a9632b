//! Tests of the file system that a guest sees, and of its quota.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use tempfile::TempDir;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, HostDirectoryEntryStream, OpenFlags, PathFlags,
};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use super::workspaces::OpenWorkspace;
use super::*;
use crate::memory::Memory;
use behalf_identity::{Principal, TokenRequest, Verifier, VerifierOptions, mint_key, mint_token};
use uuid::Uuid;

/// A guest's view of its folder.
struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
    files: FilesCtx,
    workspace: OpenWorkspace,
    memory: Memory,
}

impl Guest {
    fn new(workspace: OpenWorkspace) -> Self {
        let mut builder = WasiCtxBuilder::new();
        builder.preopened_dir(&workspace.path, "/", FsPerms::ReadWrite).expect("a folder");
        let files = FilesCtx::new(&workspace);
        Self { wasi: builder.build(), table: ResourceTable::new(), files, workspace, memory: Memory::new(1 << 30) }
    }

    fn view(&mut self) -> FilesView<'_> {
        let inner = WasiFilesystemCtxView { ctx: self.wasi.filesystem(), table: &mut self.table };
        FilesView { inner, files: &mut self.files, memory: self.memory.clone() }
    }

    fn root(&mut self) -> Resource<Descriptor> {
        self.view().get_directories().expect("a folder").remove(0).0
    }

    async fn open(&mut self, path: &str, how: OpenFlags) -> Result<Resource<Descriptor>, ErrorCode> {
        let root = self.root();
        let flags = DescriptorFlags::READ
            | if how.contains(OpenFlags::CREATE) { DescriptorFlags::WRITE } else { DescriptorFlags::empty() };
        code(self.view().open_at(root, PathFlags::SYMLINK_FOLLOW, path.to_owned(), how, flags).await)
    }

    async fn write(&mut self, path: &str, bytes: usize) -> Result<(), ErrorCode> {
        let fd = self.open(path, OpenFlags::CREATE).await?;
        let handle = Resource::new_borrow(fd.rep());
        let written = code(self.view().write(handle, vec![1; bytes], 0).await);
        HostDescriptor::drop(&mut self.view(), fd).expect("a handle");
        written.map(drop)
    }

    async fn read(&mut self, path: &str) -> Result<Vec<u8>, ErrorCode> {
        let fd = self.open(path, OpenFlags::empty()).await?;
        Ok(code(self.view().read(fd, 1 << 20, 0).await)?.0)
    }

    async fn unlink(&mut self, path: &str) {
        let root = self.root();
        code(self.view().unlink_file_at(root, path.to_owned()).await).expect("a file");
    }
}

fn code<T>(result: FsResult<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| error.downcast().expect("an error code"))
}

fn workspaces() -> (TempDir, Arc<Workspaces>) {
    let dir = TempDir::new().expect("a folder");
    let workspaces = Workspaces::open(&dir.path().join("workspaces")).expect("workspaces");
    (dir, Arc::new(workspaces))
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ALICE: &str = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
const BOB: &str = "6f9619ff-8b86-d011-b42d-00cf4fc964fe";

/// A user, or for the names of roles the holder of that role's key.
async fn principal(who: &str) -> Arc<Principal> {
    let keys = ["anon", "service_role"].map(|role| mint_key(SECRET, role).expect("a key"));
    let verifier = Verifier::new(VerifierOptions {
        secret: Some(SECRET.as_bytes().to_vec()),
        anon_key: Some(keys[0].clone()),
        service_key: Some(keys[1].clone()),
        ..VerifierOptions::default()
    })
    .expect("a verifier");
    let token = match who {
        "anon" => keys[0].clone(),
        "service_role" => keys[1].clone(),
        user => mint_token(SECRET, &TokenRequest::for_user(user)).expect("a token"),
    };
    verifier.verify(&token).await.expect("a principal")
}

async fn open(
    all: &Arc<Workspaces>,
    workspace: Workspace,
    max_bytes: u64,
    plugin: u128,
    session: Option<&str>,
    who: &str,
) -> Result<Guest, WorkspaceError> {
    let owner =
        Owner { plugin: Uuid::from_u128(plugin), session: session.map(str::to_owned), principal: principal(who).await };
    all.for_call(FilesGrants { workspace, max_bytes }, owner).await.map(Guest::new)
}

async fn call_folder(all: &Arc<Workspaces>, max_bytes: u64) -> Guest {
    open(all, Workspace::Call, max_bytes, 1, None, "anon").await.expect("a folder")
}

#[tokio::test]
async fn a_calls_folder_is_its_own_and_gone_afterwards() {
    let (_dir, all) = workspaces();
    let mut one = call_folder(&all, 0).await;
    let mut other = call_folder(&all, 0).await;
    one.write("a.txt", 3).await.expect("room");
    assert_eq!(one.read("a.txt").await.expect("the file"), [1, 1, 1]);
    assert_eq!(other.read("a.txt").await, Err(ErrorCode::NoEntry));
    let path = one.workspace.path.clone();
    assert_eq!(path.metadata().expect("a folder").mode() & 0o777, 0o700);
    drop(one);
    while path.exists() {
        tokio::task::yield_now().await;
    }
    assert!(other.workspace.path.exists());
}

#[tokio::test]
async fn a_users_folder_is_one_users_with_one_plugin() {
    let (_dir, all) = workspaces();
    let user = async |plugin, who| open(&all, Workspace::User, 0, plugin, None, who).await;
    user(1, ALICE).await.expect("a folder").write("note", 3).await.expect("room");
    assert!(user(1, ALICE).await.expect("a folder").read("note").await.is_ok());
    assert_eq!(user(1, BOB).await.expect("a folder").read("note").await, Err(ErrorCode::NoEntry));
    assert_eq!(user(2, ALICE).await.expect("a folder").read("note").await, Err(ErrorCode::NoEntry));
    for nobody in ["anon", "service_role"] {
        assert!(matches!(user(1, nobody).await, Err(WorkspaceError::NoUser)));
    }
}

#[tokio::test]
async fn a_sessions_folder_is_one_sessions_of_one_caller() {
    let (_dir, all) = workspaces();
    let session = async |session, who| open(&all, Workspace::Session, 0, 1, session, who).await;
    let hostile = Some("../../etc/\0passwd");
    session(hostile, ALICE).await.expect("a folder").write("note", 3).await.expect("room");
    let again = session(hostile, ALICE).await.expect("a folder");
    assert!(again.workspace.path.starts_with(&all.base), "{:?}", again.workspace.path);
    assert_eq!(again.workspace.path.parent(), Some(all.base.as_path()));
    let mut again = again;
    assert!(again.read("note").await.is_ok());
    for (id, who) in [(Some("another"), ALICE), (hostile, BOB), (hostile, "service_role")] {
        assert_eq!(session(id, who).await.expect("a folder").read("note").await, Err(ErrorCode::NoEntry));
    }
    for (id, who) in [(None, ALICE), (Some(""), ALICE), (hostile, "anon")] {
        assert!(matches!(session(id, who).await, Err(WorkspaceError::NoSession)));
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let (dir, all) = workspaces();
    std::fs::write(dir.path().join("secret"), "x").expect("a file");
    std::fs::write(all.base.join("secret"), "x").expect("a file");
    let mut guest = call_folder(&all, 0).await;
    let root = guest.root();
    code(guest.view().create_directory_at(root, "sub".to_owned()).await).expect("a folder");
    let absolute = dir.path().join("secret").to_str().expect("text").to_owned();
    for path in ["..", "../secret", "../../secret", "sub/../../secret", "/", "/etc/passwd", "/secret", &absolute] {
        for how in [OpenFlags::empty(), OpenFlags::CREATE] {
            assert!(guest.open(path, how).await.is_err(), "{path}");
        }
    }
    for target in ["/", "/etc/passwd", &absolute] {
        let root = guest.root();
        assert!(code(guest.view().symlink_at(root, target.to_owned(), "way".to_owned()).await).is_err(), "{target}");
    }
    for target in ["..", "../..", "../secret", "../../secret", "sub/../../../secret"] {
        let root = guest.root();
        code(guest.view().symlink_at(root, target.to_owned(), "way".to_owned()).await).expect("a link");
        for path in ["way", "way/secret", "way/../secret", "sub/../way", "sub/../way/secret"] {
            for how in [OpenFlags::empty(), OpenFlags::CREATE] {
                assert!(guest.open(path, how).await.is_err(), "{path} with a link to {target}");
            }
        }
        guest.unlink("way").await;
    }
    // Made behind the guest's back, a link that leads out is still not followed.
    std::os::unix::fs::symlink(dir.path(), guest.workspace.path.join("planted")).expect("a link");
    assert!(guest.open("planted/secret", OpenFlags::empty()).await.is_err());
    let (root, to) = (guest.root(), guest.root());
    let moved = guest.view().rename_at(root, "sub".to_owned(), to, "../sub".to_owned()).await;
    assert!(code(moved).is_err());
    let (root, to) = (guest.root(), guest.root());
    let linked = guest.view().link_at(root, PathFlags::empty(), "sub".to_owned(), to, "b".to_owned()).await;
    assert_eq!(code(linked), Err(ErrorCode::Unsupported));
}

#[tokio::test]
async fn a_folder_takes_its_bytes_and_no_more() {
    let (_dir, all) = workspaces();
    let mut guest = call_folder(&all, 1000).await;
    guest.write("a", 600).await.expect("room");
    guest.write("a", 600).await.expect("the same bytes again");
    assert_eq!(guest.write("b", 401).await, Err(ErrorCode::InsufficientSpace));
    guest.write("b", 400).await.expect("room");
    let fd = guest.open("c", OpenFlags::CREATE).await.expect("an empty file");
    let handle = || Resource::new_borrow(fd.rep());
    assert_eq!(code(guest.view().set_size(handle(), 1).await), Err(ErrorCode::InsufficientSpace));
    assert_eq!(code(guest.view().write(handle(), vec![1], u64::MAX).await), Err(ErrorCode::InsufficientSpace));
    guest.unlink("b").await;
    assert_eq!(code(guest.view().write(handle(), vec![1], 400).await), Err(ErrorCode::InsufficientSpace));
    code(guest.view().set_size(handle(), 400).await).expect("room again");
}

#[tokio::test]
async fn a_stream_stops_where_the_folder_is_full() {
    let (_dir, all) = workspaces();
    let mut guest = call_folder(&all, 1000).await;
    let fd = guest.open("a", OpenFlags::CREATE).await.expect("a file");
    let at_start = code(guest.view().write_via_stream(Resource::new_borrow(fd.rep()), 0)).expect("a stream");
    let at_end = code(guest.view().append_via_stream(fd)).expect("a stream");
    for (stream, sizes) in [(at_start, [400, 300]), (at_end, [200, 100])] {
        let stream = guest.table.get_mut(&stream).expect("a stream");
        for size in sizes {
            stream.blocking_write_and_flush(Bytes::from(vec![1; size])).await.expect("room");
        }
        stream.ready().await;
        assert!(stream.write(Bytes::from(vec![1; 301])).is_err());
    }
    assert_eq!(guest.workspace.path.join("a").metadata().expect("a file").len(), 1000);
}

#[tokio::test]
async fn an_unlinked_file_counts_while_it_is_open() {
    let (_dir, all) = workspaces();
    let mut guest = call_folder(&all, 1000).await;
    guest.write("a", 900).await.expect("room");
    let fd = guest.open("a", OpenFlags::empty()).await.expect("a file");
    guest.unlink("a").await;
    assert_eq!(guest.write("b", 900).await, Err(ErrorCode::InsufficientSpace));
    HostDescriptor::drop(&mut guest.view(), fd).expect("a handle");
    guest.write("b", 900).await.expect("room again");
}

#[tokio::test]
async fn calls_that_share_a_folder_share_its_account() {
    let (_dir, all) = workspaces();
    let mut one = open(&all, Workspace::User, 1000, 1, None, ALICE).await.expect("a folder");
    let mut other = open(&all, Workspace::User, 1000, 1, None, ALICE).await.expect("a folder");
    one.write("a", 600).await.expect("room");
    assert_eq!(other.write("b", 600).await, Err(ErrorCode::InsufficientSpace));
    drop((one, other));
    let mut later =
        open(&all, Workspace::User, 500, 1, None, ALICE).await.expect("a folder, though it is over its limit");
    assert_eq!(later.write("b", 1).await, Err(ErrorCode::InsufficientSpace));
    later.unlink("a").await;
    later.write("b", 500).await.expect("room");
}

#[tokio::test]
async fn files_folders_handles_and_listings_are_bounded() {
    let (_dir, all) = workspaces();
    let mut guest = call_folder(&all, 0).await;
    let mut inner = guest.root();
    let mut depth = 0;
    while code(guest.view().create_directory_at(Resource::new_borrow(inner.rep()), "d".to_owned()).await).is_ok() {
        let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        let next = guest.view().open_at(inner, PathFlags::empty(), "d".to_owned(), OpenFlags::DIRECTORY, flags).await;
        let Ok(next) = code(next) else { break };
        inner = next;
        depth += 1;
    }
    assert!((60..=64).contains(&depth), "{depth}");
    assert_eq!(guest.open("x", OpenFlags::CREATE).await.err(), Some(ErrorCode::InsufficientMemory));

    let mut guest = call_folder(&all, 0).await;
    let mut files = 0;
    while guest.write(&format!("f{files}"), 0).await.is_ok() {
        files += 1;
    }
    assert_eq!(files, 1000);
    guest.unlink("f0").await;
    guest.write("again", 0).await.expect("room for one");
    let mut listings = Vec::new();
    for _ in 0..8 {
        let root = guest.root();
        listings.push(code(guest.view().read_directory(root).await).expect("a listing"));
    }
    let root = guest.root();
    assert_eq!(code(guest.view().read_directory(root).await).err(), Some(ErrorCode::InsufficientMemory));
    HostDirectoryEntryStream::drop(&mut guest.view(), listings.remove(0)).expect("a listing");
    let root = guest.root();
    assert!(code(guest.view().read_directory(root).await).is_ok());
}

#[tokio::test]
async fn what_a_dead_process_left_is_removed_and_the_rest_is_kept() {
    let (_dir, all) = workspaces();
    let base = all.base.clone();
    std::fs::create_dir_all(base.join("calls-dead/left/over")).expect("a folder");
    std::fs::write(base.join("calls-dead.lock"), "").expect("a lock");
    let kept = open(&all, Workspace::User, 0, 1, None, ALICE).await.expect("a folder").workspace.path.clone();
    let second = Workspaces::open(&base).expect("workspaces");
    assert!(!base.join("calls-dead").exists() && !base.join("calls-dead.lock").exists());
    assert!(all.calls.exists(), "its process lives");
    assert!(kept.exists());
    let calls = second.calls.clone();
    drop(second);
    assert!(!calls.exists());
}

#[tokio::test]
async fn workspaces_that_no_call_opened_for_long_go_and_others_stay() {
    let (_dir, all) = workspaces();
    let folder = async |plugin: u128| {
        let mut guest = open(&all, Workspace::User, 0, plugin, None, ALICE).await.expect("a folder");
        guest.write("a.txt", 3).await.expect("room");
        let path = guest.workspace.path.clone();
        (guest, path)
    };
    let long_ago = SystemTime::now() - Duration::from_hours(48);
    let age = |path: &Path| File::open(path).expect("it is there").set_modified(long_ago).expect("it is ours");
    let ((open_one, kept_open), (_, written), (_, unused), (_, young)) =
        (folder(1).await, folder(2).await, folder(3).await, folder(4).await);
    for path in [&kept_open, &unused] {
        age(&path.join("a.txt"));
    }
    for path in [&kept_open, &written, &unused] {
        age(path);
    }
    all.prune(Duration::from_hours(24)).expect("pruned");
    let are_there = |paths: [&Path; 4]| paths.map(Path::exists);
    assert_eq!(are_there([&kept_open, &written, &unused, &young]), [true, true, false, true]);
    // A call that opens a folder shows other processes that it is in use.
    drop(open_one);
    age(&kept_open);
    drop(open(&all, Workspace::User, 0, 1, None, ALICE).await.expect("a folder"));
    all.prune(Duration::from_hours(24)).expect("pruned");
    assert!(kept_open.exists());
    age(&kept_open);
    all.prune(Duration::from_hours(24)).expect("pruned");
    assert!(!kept_open.exists());
}

#[test]
fn hosts_that_start_and_end_at_the_same_time_do_not_hinder_each_other() {
    let dir = TempDir::new().expect("a folder");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let all = Workspaces::open(dir.path()).expect("workspaces");
                    assert!(all.calls.exists());
                }
            });
        }
    });
    assert_eq!(dir.path().read_dir().expect("a folder").count(), 1, "only the lock is left");
}
