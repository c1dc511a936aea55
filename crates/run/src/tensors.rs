//! Tensors in safetensors files.

use std::borrow::Cow;
use std::fs::{self, File};
use std::path::Path;

use safetensors::{SafeTensorError, View};

use spartui_facts::error::{Error, Result};

/// Type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Dtype {
    Float32,
    Bfloat16,
    Float16,
    Int32,
    Int64,
    Uint32,
}

impl Dtype {
    /// Bytes of an element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Bfloat16 | Self::Float16 => 2,
            Self::Float32 | Self::Int32 | Self::Uint32 => 4,
            Self::Int64 => 8,
        }
    }

    fn of_file(dtype: safetensors::Dtype) -> Option<Self> {
        match dtype {
            safetensors::Dtype::F32 => Some(Self::Float32),
            safetensors::Dtype::BF16 => Some(Self::Bfloat16),
            safetensors::Dtype::F16 => Some(Self::Float16),
            safetensors::Dtype::I32 => Some(Self::Int32),
            safetensors::Dtype::I64 => Some(Self::Int64),
            safetensors::Dtype::U32 => Some(Self::Uint32),
            _ => None,
        }
    }
}

/// A tensor with its name; elements in row-major order, little-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTensor {
    /// Name.
    pub name: String,
    /// Type of the elements.
    pub dtype: Dtype,
    /// Extents.
    pub shape: Vec<usize>,
    /// Elements.
    pub bytes: Vec<u8>,
}

impl NamedTensor {
    /// A tensor of `f32` numbers.
    #[must_use]
    pub fn float32(name: impl Into<String>, shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::Float32, shape, bytes }
    }

    /// A tensor of `i32` numbers.
    #[must_use]
    pub fn int32(name: impl Into<String>, shape: Vec<usize>, values: &[i32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::Int32, shape, bytes }
    }

    /// The elements, if they are `f32`.
    #[must_use]
    pub fn as_float32(&self) -> Option<Vec<f32>> {
        (self.dtype == Dtype::Float32)
            .then(|| self.bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
    }

    /// The elements, if they are `i32`.
    #[must_use]
    pub fn as_int32(&self) -> Option<Vec<i32>> {
        (self.dtype == Dtype::Int32).then(|| self.bytes.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b)).collect())
    }

    /// Checks that the number of bytes is that of the shape.
    pub(super) fn check(&self) -> Result<()> {
        let elements = self.shape.iter().try_fold(1_usize, |product, &extent| product.checked_mul(extent));
        if elements.and_then(|elements| elements.checked_mul(self.dtype.size())) == Some(self.bytes.len()) {
            return Ok(());
        }
        let Self { name, shape, bytes, .. } = self;
        Err(Error::failed(format!(
            "{name} has {} bytes, which do not match its shape {shape:?}; please report this",
            bytes.len()
        )))
    }
}

impl View for &NamedTensor {
    fn dtype(&self) -> safetensors::Dtype {
        match self.dtype {
            Dtype::Float32 => safetensors::Dtype::F32,
            Dtype::Bfloat16 => safetensors::Dtype::BF16,
            Dtype::Float16 => safetensors::Dtype::F16,
            Dtype::Int32 => safetensors::Dtype::I32,
            Dtype::Int64 => safetensors::Dtype::I64,
            Dtype::Uint32 => safetensors::Dtype::U32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes a safetensors file, readable for all (the library writes it for the owner only), and waits until it is on the
/// disk.
///
/// # Errors
/// Those of the file system.
pub fn write_tensors<S, V>(path: &Path, tensors: impl IntoIterator<Item = (S, V)>) -> std::io::Result<()>
where
    S: AsRef<str> + Ord + std::fmt::Display,
    V: View,
{
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    super::disk::before_change(path)?;
    safetensors::serialize_to_file(tensors, Some(metadata), path).map_err(|error| match error {
        SafeTensorError::IoError(error) => error,
        other => std::io::Error::other(other.to_string()),
    })?;
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    super::disk::sync(&File::open(path)?, path)
}

/// Reads the tensors of a safetensors file.
///
/// # Errors
/// Says what is wrong with the bytes.
pub fn parse_tensors(bytes: &[u8]) -> std::result::Result<Vec<NamedTensor>, String> {
    let file = safetensors::SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    file.iter()
        .map(|(name, view)| {
            let dtype =
                Dtype::of_file(view.dtype()).ok_or_else(|| format!("a tensor has the type {:?}", view.dtype()))?;
            Ok(NamedTensor { name: name.into(), dtype, shape: view.shape().to_vec(), bytes: view.data().to_vec() })
        })
        .collect()
}
