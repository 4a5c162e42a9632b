//! Counts the instances that a component makes, without making them: a few lines can ask for millions, and a compiler that
//! follows each of them would run out of memory.

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Instance, Parser, Payload,
};

/// Instances of one component, core ones and those of components nested in it; a Python guest has about 60.
pub(super) const MAX_INSTANCES: u64 = 1_000;

/// Components within components; `wit-component` nests one level, composing tools a few.
pub(super) const MAX_NESTING: usize = 16;

/// Why a component is refused.
#[derive(Debug)]
pub(super) enum CountError {
    /// More than [`MAX_INSTANCES`].
    Instances,
    /// Deeper than [`MAX_NESTING`].
    Nesting,
    /// A component is passed to another, so that its instances cannot be counted.
    Passed,
    /// Not even its sections can be read.
    Malformed(BinaryReaderError),
}

impl From<BinaryReaderError> for CountError {
    fn from(error: BinaryReaderError) -> Self {
        Self::Malformed(error)
    }
}

/// One component (or module) that is being read.
#[derive(Default)]
struct Scope {
    /// Instances that one instance of it makes.
    instances: u64,
    /// The same of each component in its index space.
    components: Vec<u64>,
    /// Whether it is a core module, which has no components.
    module: bool,
}

/// Refuses a component that would make too many instances. Sections are read in order, so this takes time in proportion
/// to the file.
pub(super) fn check_instances(component: &[u8]) -> Result<(), CountError> {
    let mut scopes = vec![Scope::default()];
    let mut next_is_module = false;
    let mut root = true;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::Version { .. } if root => root = false,
            Payload::Version { .. } => {
                scopes.push(Scope { module: next_is_module, ..Scope::default() });
                if scopes.len() > MAX_NESTING {
                    return Err(CountError::Nesting);
                }
            }
            Payload::ModuleSection { .. } => next_is_module = true,
            Payload::ComponentSection { .. } => next_is_module = false,
            Payload::End(_) => {
                let Some(done) = scopes.pop() else { break };
                let Some(parent) = scopes.last_mut() else { break };
                if !done.module {
                    parent.components.push(done.instances);
                }
            }
            payload => {
                read_section(&mut scopes, payload)?;
                if scopes.last().is_some_and(|scope| scope.instances > MAX_INSTANCES) {
                    return Err(CountError::Instances);
                }
            }
        }
    }
    Ok(())
}

fn read_section(scopes: &mut [Scope], payload: Payload<'_>) -> Result<(), CountError> {
    let Some((scope, outer)) = scopes.split_last_mut() else { return Ok(()) };
    match payload {
        Payload::InstanceSection(section) => {
            for instance in section {
                scope.instances += u64::from(matches!(instance?, Instance::Instantiate { .. }));
            }
        }
        Payload::ComponentInstanceSection(section) => {
            for instance in section {
                if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                    let made = component(&scope.components, component_index)?;
                    scope.instances = scope.instances.saturating_add(1).saturating_add(made);
                }
            }
        }
        Payload::ComponentAliasSection(section) => {
            for alias in section {
                match alias? {
                    ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                        return Err(CountError::Passed);
                    }
                    ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                        // A count of zero is the scope itself.
                        let from = match usize::try_from(count).unwrap_or(usize::MAX).checked_sub(1) {
                            None => &scope.components,
                            Some(up) => {
                                outer.iter().rev().nth(up).map(|scope| &scope.components).ok_or(CountError::Passed)?
                            }
                        };
                        let made = component(from, index)?;
                        scope.components.push(made);
                    }
                    _ => {}
                }
            }
        }
        Payload::ComponentImportSection(section) => {
            for import in section {
                if matches!(import?.ty, ComponentTypeRef::Component(_)) {
                    return Err(CountError::Passed);
                }
            }
        }
        Payload::ComponentExportSection(section) => {
            for export in section {
                let export = export?;
                // An exported component gets a new place in the index space.
                if export.kind == ComponentExternalKind::Component {
                    let made = component(&scope.components, export.index)?;
                    scope.components.push(made);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn component(components: &[u64], index: u32) -> Result<u64, CountError> {
    usize::try_from(index).ok().and_then(|index| components.get(index)).copied().ok_or(CountError::Passed)
}
