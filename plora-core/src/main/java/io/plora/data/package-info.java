/** Training and validation data: from files, pipelines and prompts to token ids. */
@NullMarked
package io.plora.data;

import org.jspecify.annotations.NullMarked;
