-- Who vouches for a plugin.
--
-- The envelope is kept whole: every host checks it again when it reads the registry, with the keys that it trusts then.

alter table ai.plugins
    add column signature jsonb,
    add column signer text,
    add constraint signer_signed check (signer is null or signature is not null);

comment on column ai.plugins.signature is 'DSSE envelope over name, version, digest of the component and grants, as it was uploaded.';
comment on column ai.plugins.signer is 'SHA-256 of the public key that made the signature, where the host trusted it at the upload.';
