//! `wasi:filesystem` with one folder in it: a workspace for the call, the session or the user.

pub(crate) mod grant;
mod host;
mod quota;
mod stream;
#[cfg(test)]
mod tests;
mod workspaces;

use std::sync::Arc;
use std::time::Duration;

use behalf_problem::LogText as _;
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::{FsPerms, WasiCtxView};

use super::capability::{CallSetup, Capability, Holds, PrepareError, View, require_import};
use crate::grants::{GrantError, Grants};
use crate::imports::ImportedInterface;
use crate::options::{SandboxError, SandboxOptions};
use grant::{FilesGrants, Workspace};
use host::{FilesCtx, FilesView};
use workspaces::{Owner, WorkspaceError, Workspaces};

/// A folder to work in.
#[derive(Debug)]
pub(crate) struct Files {
    workspaces: Arc<Workspaces>,
}

impl Files {
    /// Deletes the workspaces of users and sessions that no call opened for so long.
    pub(crate) fn prune(&self, unused: Duration) -> std::io::Result<()> {
        self.workspaces.prune(unused)
    }
}

impl Capability for Files {
    type Ctx = FilesCtx;
    type Granted = ();

    fn open(options: &SandboxOptions) -> Result<Self, SandboxError> {
        let workspaces = Workspaces::open(&options.workspace_dir)
            .map_err(|error| SandboxError::Workspaces(options.workspace_dir.clone(), error))?;
        Ok(Self { workspaces: Arc::new(workspaces) })
    }

    // The file system is part of WASI's `lite` profile, so every linker holds it. Its power is the folder that `prepare`
    // opens: without one there is nothing in it.

    fn validate_grant(grants: &Grants, imports: &[ImportedInterface], _: &[String]) -> Result<(), GrantError> {
        if grants.files().is_some() { require_import(imports, "files", "wasi:filesystem") } else { Ok(()) }
    }

    fn exceeds(mine: &Grants, theirs: &Grants) -> Option<&'static str> {
        let mine = mine.files()?;
        theirs.files().is_none_or(|theirs| exceeds(mine, theirs)).then_some("the files")
    }

    /// Replaces WASI's file system; the rest of WASI must be there already.
    fn link_wasi<T: Holds<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        linker.allow_shadowing(true);
        types::add_to_linker::<T, HasFiles>(linker, |state| files_view(state.view()))?;
        preopens::add_to_linker::<T, HasFiles>(linker, |state| files_view(state.view()))?;
        linker.allow_shadowing(false);
        Ok(())
    }

    async fn prepare(
        &self,
        (): &Self::Granted,
        call: &mut CallSetup<'_>,
        view: View<'_, Self::Ctx>,
    ) -> Result<(), PrepareError> {
        let Some(grant) = call.grants.files() else { return Ok(()) };
        let owner = Owner {
            plugin: call.request.plugin,
            session: call.request.session_id.clone(),
            principal: Arc::clone(&call.request.principal),
        };
        let workspace = match self.workspaces.for_call(grant.clone(), owner).await {
            Ok(workspace) => workspace,
            Err(WorkspaceError::Io(error)) => return Err(unusable(&error)),
            Err(error) => return Err(PrepareError::NotGranted(error.to_string())),
        };
        let writes = call.request.effects.writes_files() || grant.workspace == Workspace::Call;
        let allowed = if writes { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        view.base.wasi.open_folder(&workspace.path, allowed).map_err(|error| unusable(&*error))?;
        *view.ctx = FilesCtx::new(&workspace).keeping(workspace);
        Ok(())
    }
}

/// Tells WASI's bindings which view the file system has.
struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = FilesView<'a>;
}

fn files_view(View { ctx, base }: View<'_, FilesCtx>) -> FilesView<'_> {
    let memory = base.memory.clone();
    let WasiCtxView { ctx: wasi, table } = base.wasi_view();
    FilesView { inner: WasiFilesystemCtxView { ctx: wasi.filesystem(), table }, files: ctx, memory }
}

fn unusable(error: &(dyn std::error::Error + Send + Sync + 'static)) -> PrepareError {
    tracing::error!(error = error.log_text(), "a workspace cannot be opened");
    PrepareError::Files
}

fn exceeds(mine: &FilesGrants, theirs: &FilesGrants) -> bool {
    // A folder that is kept longer is shared by more calls.
    let kept = |workspace| match workspace {
        Workspace::None => 0,
        Workspace::Call => 1,
        Workspace::Session => 2,
        Workspace::User => 3,
    };
    // Zero is the host's own bound, which may be more or less than a number.
    let more = match (mine.max_bytes, theirs.max_bytes) {
        (mine, theirs) if mine == theirs => false,
        (0, _) | (_, 0) => true,
        (mine, theirs) => mine > theirs,
    };
    kept(mine.workspace) > kept(theirs.workspace) || more
}
