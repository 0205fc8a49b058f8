package io.plora.model;

/**
 * One message of a conversation.
 *
 * @param role such as {@code system}, {@code user} or {@code assistant}
 * @param content its text
 */
public record ChatMessage(String role, String content) {}
