/** Results, tables, progress and what this machine offers. */
@NullMarked
package io.plora.report;

import org.jspecify.annotations.NullMarked;
